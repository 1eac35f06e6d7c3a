import { useCalwire } from '@calwire/client/react';
import { useEffect, useId, useRef, useState } from 'react';

import { navigate, type View } from '../address';
import { Avatar, nameOf } from './Avatar';
import { PageLink } from './PageLink';

interface UserMenuProps {
  users: string[];
  user: string;
  view: View;
}

/** The signed-in user, the users to switch to, and the button to sign out. */
export function UserMenu({ users, user, view }: UserMenuProps) {
  const calwire = useCalwire();
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  useClosing(open, box, () => setOpen(false), button);

  const signOut = async () => {
    await calwire.signOut();
    navigate({ user: null, view: 'overview' });
  };

  return (
    <div className="menu" ref={box}>
      <button
        ref={button}
        type="button"
        className="button quiet who"
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
      >
        <Avatar name={user} index={users.indexOf(user)} />
        <span className="visually-hidden">Signed in as </span>
        <span className="who-name">{nameOf(user)}</span>
      </button>
      <div id={id} className="menu-panel" hidden={!open}>
        <p className="eyebrow">Switch to</p>
        <ul>
          {users
            .filter((other) => other !== user)
            .map((other) => (
              <li key={other}>
                <PageLink to={{ user: other, view }} className="menu-item">
                  <Avatar name={other} index={users.indexOf(other)} />
                  {nameOf(other)}
                </PageLink>
              </li>
            ))}
        </ul>
        <button type="button" className="menu-item" onClick={() => void signOut()}>
          Sign out
        </button>
      </div>
    </div>
  );
}

/** Closes the menu on Escape, and on clicks or focus outside. */
function useClosing(
  open: boolean,
  box: { current: HTMLElement | null },
  close: () => void,
  button: { current: HTMLElement | null },
): void {
  const latest = useRef(close);
  useEffect(() => {
    latest.current = close;
  });
  useEffect(() => {
    if (!open) return;
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== 'Escape') return;
      latest.current();
      button.current?.focus();
    };
    const onElsewhere = (event: Event) => {
      if (event.target instanceof Node && box.current?.contains(event.target) !== true) latest.current();
    };
    document.addEventListener('keydown', onKey);
    document.addEventListener('pointerdown', onElsewhere);
    document.addEventListener('focusin', onElsewhere);
    return () => {
      document.removeEventListener('keydown', onKey);
      document.removeEventListener('pointerdown', onElsewhere);
      document.removeEventListener('focusin', onElsewhere);
    };
  }, [open, box, button]);
}
