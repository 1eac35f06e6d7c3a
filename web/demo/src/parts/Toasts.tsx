import { useSyncActivity } from '@calwire/client/react';
import { useEffect, useRef, useState } from 'react';

import type { View } from '../address';
import { duration, wayOf } from '../inspector/durations';
import type { Messages, Received } from '../messages';
import { Icon } from './Icon';
import { PageLink } from './PageLink';

/** How long a change is told, in milliseconds. It waits while somebody points at it. */
const SHOWN_FOR = 7_000;

/** Of one message; the rest is counted. */
const LINES = 3;

interface ToastsProps {
  messages: Messages;
  user: string;
  view: View;
}

/** What just changed. The newest message takes the place of the one before it. */
export function Toasts({ messages, user, view }: ToastsProps) {
  const newest = messages.received.find((each) => each.news.length > 0);
  const [closed, setClosed] = useState<Received | undefined>(undefined);
  const shown = newest === closed ? undefined : newest;
  const hold = useTimer(shown, () => setClosed(newest));

  return (
    <aside
      className="toasts"
      aria-label="What just changed"
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

function Lines({ received: { news, message } }: { received: Received }) {
  const more = news.length - LINES;
  return (
    <ul className="toast" key={message.seq}>
      {news.slice(0, LINES).map(({ title, what }, index) => (
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

/** Only where the rounds are on screen anyway: elsewhere a change costs no request, and asking for this would be one. */
function Took({ seq }: { seq: number }) {
  const { calendars } = useSyncActivity();
  const round = calendars.flatMap(({ rounds }) => rounds).find((each) => each.seq === seq);
  if (round?.cause !== 'push' || round.publishedAt === null) return null;
  return <span className="fine took">{duration(wayOf(round, null).total)} after Google’s push</span>;
}

/** Calls `onEnd` some time after `what` came; the answer holds it while true. */
function useTimer(what: Received | undefined, onEnd: () => void): (held: boolean) => void {
  const [held, setHeld] = useState(false);
  const latest = useRef(onEnd);
  useEffect(() => {
    latest.current = onEnd;
  });
  useEffect(() => {
    if (what === undefined || held) return;
    const timer = setTimeout(() => latest.current(), SHOWN_FOR);
    return () => clearTimeout(timer);
  }, [what, held]);
  return setHeld;
}
