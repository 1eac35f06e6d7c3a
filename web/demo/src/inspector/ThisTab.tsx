import type { Message } from '@calwire/client';
import type { LiveState } from '@calwire/client/react';
import { useId } from 'react';

import type { Messages, Received } from '../messages';
import { ago, clock } from './durations';
import { BECAME } from './words';

const SOCKET: Record<LiveState, string> = {
  connecting: 'Opening',
  live: 'Open',
  reconnecting: 'Opening again',
  offline: 'No network, or no answer',
  signedOut: 'Closed: nobody is signed in',
  failed: 'Refused',
};

/** The browser's side: its socket, and what came over it. */
export function ThisTab({ messages, nameOf, now }: { messages: Messages; nameOf: NameOf; now: Date }) {
  const { state, received, count } = messages;
  const title = useId();
  const [last] = received;
  return (
    <section className="card tab-side" aria-labelledby={title}>
      <h2 id={title}>This tab</h2>
      <dl className="facts">
        <div>
          <dt>Socket</dt>
          <dd>{SOCKET[state]}</dd>
        </div>
        <div>
          <dt>Last message</dt>
          <dd>{last ? `${last.message.seq}, ${ago(last.at, now)}` : 'none yet'}</dd>
        </div>
        <div>
          <dt>Received here</dt>
          <dd>{count === 1 ? '1 message' : `${count} messages`}</dd>
        </div>
      </dl>
      {last ? (
        <ol className="log" aria-label="Messages, the newest first" tabIndex={0}>
          {received.map((each) => (
            <li key={`${each.message.seq} ${each.at}`}>
              <LogLine received={each} nameOf={nameOf} />
            </li>
          ))}
        </ol>
      ) : (
        <p className="empty">What changes in Google from now on arrives here as a message, without a request.</p>
      )}
    </section>
  );
}

type NameOf = (calendarId: string) => string;

function LogLine({ received: { message, at, news }, nameOf }: { received: Received; nameOf: NameOf }) {
  return (
    <>
      <span className="log-seq">{message.seq}</span>
      <time dateTime={new Date(at).toISOString()}>{clock(at)}</time>
      <span className="log-text">
        {news.length === 0
          ? plainly(message, nameOf)
          : news.map(({ title, what }, index) => (
              <span key={index} className="log-news">
                <bdi>{title || 'An event without a title'}</bdi> {what}
              </span>
            ))}
      </span>
    </>
  );
}

function plainly(message: Message, nameOf: NameOf): string {
  switch (message.type) {
    case 'events.changed':
      return `${nameOf(message.calendarId)} is current again`;
    case 'resync':
      return `${nameOf(message.calendarId)} changed a lot and was read anew`;
    case 'calendars.changed':
      return 'The list of calendars changed';
    case 'connection.changed':
      return `An account ${BECAME[message.state]}`;
    case 'write.resolved':
      return message.state === 'done' ? 'A change arrived in Google' : 'A change could not be made in Google';
  }
}
