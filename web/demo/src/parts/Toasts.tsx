import { useSyncActivity } from '@calwire/client/react';
import { useEffect, useRef, useState } from 'react';

import type { View } from '../address';
import { duration, timelineOf } from '../inspector/durations';
import type { Messages, Received } from '../messages';
import { Icon } from './Icon';
import { PageLink } from './PageLink';

/** How long a change is shown, in milliseconds. The timer stops while the pointer is over it. */
const SHOWN_FOR = 7_000;

/** Changes shown per message. The rest is counted. */
const MAX_LINES = 3;

interface ToastsProps {
  messages: Messages;
  user: string;
  view: View;
}

/** Shows the latest change. A new message replaces the one before it. */
export function Toasts({ messages, user, view }: ToastsProps) {
  const newest = messages.received.find((each) => each.changes.length > 0);
  const [closed, setClosed] = useState<Received | undefined>(undefined);
  const shown = newest === closed ? undefined : newest;
  const hold = useTimer(shown, () => setClosed(newest));

  return (
    <aside
      className="toasts"
      aria-label="Latest change"
      onPointerEnter={() => hold(true)}
      onPointerLeave={() => hold(false)}
    >
      <div role="status" aria-atomic="true">
        {shown && <Lines received={shown} />}
      </div>
      {shown && (
        <div className="toast-end">
          {view === 'inspector' ? (
            <Took seq={shown.message.seq} />
          ) : (
            <PageLink to={{ user, view: 'inspector' }} className="toast-link">
              How it got here
            </PageLink>
          )}
          <button type="button" className="button quiet square" aria-label="Close" onClick={() => setClosed(newest)}>
            <Icon name="close" size={16} />
          </button>
        </div>
      )}
    </aside>
  );
}

function Lines({ received: { changes, message } }: { received: Received }) {
  const more = changes.length - MAX_LINES;
  return (
    <ul className="toast" key={message.seq}>
      {changes.slice(0, MAX_LINES).map(({ title, what }, index) => (
        <li key={index}>
          <strong>
            <bdi>{title || 'An event without a title'}</bdi>
          </strong>{' '}
          <span>{what}</span>
        </li>
      ))}
      {more > 0 && <li>and {more} more</li>}
    </ul>
  );
}

/** Used only in the inspector, which loads the rounds anyway. Elsewhere a change needs no request. */
function Took({ seq }: { seq: number }) {
  const { calendars } = useSyncActivity();
  const round = calendars.flatMap(({ rounds }) => rounds).find((each) => each.seq === seq);
  if (round?.cause !== 'push' || round.publishedAt === null) return null;
  return <span className="fine took">{duration(timelineOf(round, null).total)} after Google’s push</span>;
}

/** Calls `onEnd` after `shown` has been visible for a while. The returned function pauses the timer. */
function useTimer(shown: Received | undefined, onEnd: () => void): (held: boolean) => void {
  const [held, setHeld] = useState(false);
  const latest = useRef(onEnd);
  useEffect(() => {
    latest.current = onEnd;
  });
  useEffect(() => {
    if (shown === undefined || held) return;
    const timer = setTimeout(() => latest.current(), SHOWN_FOR);
    return () => clearTimeout(timer);
  }, [shown, held]);
  return setHeld;
}
