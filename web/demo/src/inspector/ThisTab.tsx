import type { Message } from '@calwire/client';
import type { LiveState } from '@calwire/client/react';
import { useId } from 'react';

import type { Messages, Received } from '../messages';
import { ago, clock } from './durations';
import { STATE_TEXTS } from './texts';

const SOCKET: Record<LiveState, string> = {
  connecting: 'Opening',
  live: 'Open',
  reconnecting: 'Opening again',
  offline: 'No network, or no answer',
  signedOut: 'Closed: signed out',
  failed: 'Rejected',
};

/** This tab's socket and the messages it has received. */
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
        <ol className="log" aria-label="Messages, newest first" tabIndex={0}>
          {received.map((each) => (
            <li key={`${each.message.seq} ${each.at}`}>
              <LogLine received={each} nameOf={nameOf} />
            </li>
          ))}
        </ol>
      ) : (
        <p className="empty">Changes in Google arrive here as messages, without a request.</p>
      )}
    </section>
  );
}

type NameOf = (calendarId: string) => string;

function LogLine({ received: { message, at, changes }, nameOf }: { received: Received; nameOf: NameOf }) {
  return (
    <>
      <span className="log-seq">{message.seq}</span>
      <time dateTime={new Date(at).toISOString()}>{clock(at)}</time>
      <span className="log-text">
        {changes.length === 0
          ? textOf(message, nameOf)
          : changes.map(({ title, what }, index) => (
              <span key={index} className="log-news">
                <bdi>{title || 'An event without a title'}</bdi> {what}
              </span>
            ))}
      </span>
    </>
  );
}

function textOf(message: Message, nameOf: NameOf): string {
  switch (message.type) {
    case 'events.changed':
      return `${nameOf(message.calendarId)} is current again`;
    case 'resync':
      return `${nameOf(message.calendarId)} had many changes and was reloaded`;
    case 'calendars.changed':
      return 'The list of calendars changed';
    case 'connection.changed':
      return `An account ${STATE_TEXTS[message.state]}`;
    case 'write.resolved':
      return message.state === 'done' ? 'A change arrived in Google' : 'A change could not be made in Google';
  }
}
