import type { CalendarActivity, CalendarInfo } from '@calwire/client';
import { useId, useState } from 'react';

import type { Received } from '../messages';
import { ago, clock, until, timelineOf } from './durations';
import { Round } from './Round';
import { SyncButton } from './SyncButton';
import { useSyncNow } from './use-sync-now';
import { errorOf, MODES } from './texts';

/** The number of rounds shown until the user asks for more. */
const ROUNDS_SHOWN = 8;

interface CalendarCardProps {
  activity: CalendarActivity;
  calendar: CalendarInfo | undefined;
  received: Received[];
  refetch: () => Promise<void>;
  now: Date;
}

export function CalendarCard({ activity, calendar, received, refetch, now }: CalendarCardProps) {
  const [all, setAll] = useState(false);
  const { phase, start } = useSyncNow([activity], refetch, false);
  const title = useId();
  const name = calendar?.summary ?? 'Calendar';
  const mode = MODES[activity.mode];
  const { rounds } = activity;
  const arrivals = new Map(received.map(({ message, at }) => [message.seq, at]));
  const arrivalOf = (seq: number | null) => (seq === null ? null : (arrivals.get(seq) ?? null));
  const shown = all ? rounds : rounds.slice(0, ROUNDS_SHOWN);
  const scale = scaleOf(shown.map((round) => timelineOf(round, arrivalOf(round.seq)).total));

  return (
    <article className="card calendar" aria-labelledby={title}>
      <header className="calendar-head">
        <h2 id={title}>
          <span className="dot" style={{ background: calendar?.backgroundColor ?? 'var(--faint)' }} />
          <bdi>{name}</bdi>
        </h2>
        <span className="mode" data-mode={activity.mode} title={mode.meaning}>
          {mode.name}
        </span>
        <SyncButton phase={phase} onClick={() => void start()} label="Sync now" of={name} />
      </header>
      <Facts activity={activity} now={now} />
      {activity.lastError !== null && <p className="notice">{errorOf(activity.lastError.word)}</p>}
      {rounds.length === 0 ? (
        <p className="empty">This calendar has not been synced yet. “Sync now” does.</p>
      ) : (
        <ol className="rounds" aria-label={`Rounds of ${name}, newest first`}>
          {shown.map((round) => (
            <Round key={round.number} round={round} receivedAt={arrivalOf(round.seq)} scale={scale} now={now} />
          ))}
        </ol>
      )}
      {rounds.length > ROUNDS_SHOWN && (
        <button type="button" className="button quiet small" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? 'Show fewer' : `Show all ${rounds.length}`}
        </button>
      )}
    </article>
  );
}

function Facts({ activity, now }: { activity: CalendarActivity; now: Date }) {
  const { mode, asOf, watch, lastPushAt, nextPollAt, dueSince, attempts } = activity;
  const facts = [
    ['As Google had it', asOf === null ? 'not read yet' : ago(asOf, now)],
    ['Watch channel', watch === null ? 'none' : `ends ${until(watch.expiresAt, now)}`],
    ['Last push', lastPushAt === null ? 'none yet' : ago(lastPushAt, now)],
    ['Next poll', nextPollAt === null ? 'none planned' : until(nextPollAt, now)],
    // A calendar that is paused stays due until a person acts.
    mode !== 'paused' &&
      dueSince !== null && ['Under way', attempts > 1 ? `try ${attempts}, due since ${clock(dueSince)}` : 'now'],
  ] satisfies ([string, string] | false)[];
  return (
    <dl className="facts">
      {facts
        .filter((fact) => fact !== false)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/**
 * The duration of a full bar. Bars longer than three times the median are cut and marked, so that one long round does not
 * flatten the others.
 */
function scaleOf(totals: number[]): number {
  const sorted = totals.filter((total) => total > 0).sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 1;
  return Math.min(sorted.at(-1) ?? 1, median * 3);
}
