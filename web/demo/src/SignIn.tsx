import { useEffect, type ReactNode } from 'react';

import { Avatar, nameOf } from './parts/Avatar';
import { Brand } from './parts/Brand';
import { PageLink } from './parts/PageLink';
import { ThemeButton } from './parts/ThemeButton';

interface SignInProps {
  users: string[];
  /** The user in the URL, if there is no such user. */
  unknown: string | null;
  banner: ReactNode;
}

export function SignIn({ users, unknown, banner }: SignInProps) {
  useEffect(() => {
    document.title = 'Sign in · Calwire';
  }, []);
  return (
    <div className="welcome">
      <header className="welcome-bar">
        <Brand />
        <ThemeButton />
      </header>
      <main className="alone">
        {banner}
        <h1>Google Calendar, live in the browser.</h1>
        <p className="lead">
          Calwire mirrors a person’s Google calendars and sends each change to every open page, in under a second and
          without polling. Sign in, change an event in Google, and watch the change arrive here.
        </p>
        {unknown !== null && (
          <p className="notice" role="alert">
            There is no demo user called “<bdi>{unknown.slice(0, 40)}</bdi>”. These are the ones there are:
          </p>
        )}
        <h2 className="eyebrow">Sign in as</h2>
        <ul className="people">
          {users.map((user, index) => (
            <li key={user}>
              <PageLink to={{ user, view: 'overview' }} className="person">
                <Avatar name={user} index={index} />
                {nameOf(user)}
              </PageLink>
            </li>
          ))}
        </ul>
        <p className="fine">Demo users without passwords. Your application uses its own sign-in instead.</p>
      </main>
    </div>
  );
}
