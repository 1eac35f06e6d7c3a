import { useCalwire } from '@calwire/client/react';
import { lazy, Suspense, useEffect, useRef, type ComponentType, type ReactNode } from 'react';

import type { View } from './address';
import { Header } from './parts/Header';
import { ErrorBoundary } from './parts/ErrorBoundary';
import { Toasts } from './parts/Toasts';
import { useMessages } from './messages';
import type { Session } from './session';
import { AccountsPage } from './views/Accounts';
import { MonthPage, WeekPage } from './views/Grid';
import { Overview } from './views/Overview';
import type { ViewProps } from './views/view-props';

const Inspector = lazy(() => import('./views/Inspector'));

interface SignedProps {
  session: Session;
  user: string;
  view: View;
  banner: ReactNode;
}

const PAGES: Record<View, { title: string; Page: ComponentType<ViewProps> }> = {
  overview: { title: 'Overview', Page: Overview },
  week: { title: 'Week', Page: WeekPage },
  month: { title: 'Month', Page: MonthPage },
  accounts: { title: 'Accounts & calendars', Page: AccountsPage },
  inspector: { title: 'Sync inspector', Page: Inspector },
};

/** The page for a signed-in user. */
export function SignedIn({ session, user, view, banner }: SignedProps) {
  const { userId } = useCalwire();
  const messages = useMessages(userId);
  const main = useRef<HTMLElement>(null);
  const { title, Page } = PAGES[view];
  useTitle(title, user);
  useFocusOnChange(main, view);

  return (
    <>
      <a
        className="skip"
        href="#main"
        onClick={(event) => {
          // The URL's hash selects the view.
          event.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to the calendar
      </a>
      <Header session={session} user={user} view={view} />
      <main ref={main} id="main" tabIndex={-1} aria-label={title} className="page" data-view={view}>
        {banner}
        <ErrorBoundary key={view}>
          <Suspense fallback={<p className="waiting">Opening…</p>}>
            <Page session={session} user={user} messages={messages} />
          </Suspense>
        </ErrorBoundary>
      </main>
      <Toasts messages={messages} user={user} view={view} />
    </>
  );
}

function useTitle(title: string, user: string): void {
  useEffect(() => {
    document.title = `${title} · ${user} · Calwire`;
  }, [title, user]);
}

/** Moves focus and scroll position to the start of a new view. */
function useFocusOnChange(main: { current: HTMLElement | null }, view: View): void {
  const shown = useRef(view);
  useEffect(() => {
    if (shown.current === view) return;
    shown.current = view;
    main.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [main, view]);
}
