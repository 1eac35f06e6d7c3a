import type { SyncRound } from '@calwire/client';

import { clock, duration, roughlyAgo, timelineOf, type Part, type Timeline } from './durations';
import { CAUSES, errorOf } from './texts';

interface RoundProps {
  round: SyncRound;
  /** When this tab received its message; null if it did not. */
  receivedAt: number | null;
  /** The duration of a full bar, in milliseconds. */
  scale: number;
  now: Date;
}

/** One pull from Google, from its cause to this tab. */
export function Round({ round, receivedAt, scale, now }: RoundProps) {
  const timeline = timelineOf(round, receivedAt);
  const cause = CAUSES[round.cause];
  const failed = isFailure(round);
  const parts = timeline.parts.map(partText).join(' · ');
  return (
    <li className="round" data-outcome={failed ? 'failed' : 'fine'}>
      <div className="round-head">
        <span className="cause" data-cause={round.cause} title={cause.meaning}>
          {cause.name}
        </span>
        <time dateTime={round.lastAt} title={clock(round.lastAt)}>
          {roughlyAgo(round.lastAt, now)}
        </time>
      </div>
      <div className="round-way">
        <Bar timeline={timeline} scale={scale} />
        <p className="round-parts">{round.times > 1 ? `the first: ${parts}` : parts}</p>
        {failed && <p className="round-failure">{errorOf(round.outcome)}</p>}
      </div>
      <div className="round-end">
        <span className="total">{duration(timeline.total)}</span>
        <span className="result">{resultOf(round)}</span>
      </div>
    </li>
  );
}

const PARTS: Record<Part['name'], string> = {
  waited: 'waited',
  pulled: 'pulled',
  published: 'published',
  arrived: 'to this tab',
};

function partText({ name, from, to }: Part): string {
  return `${PARTS[name]} ${duration(to - from)}`;
}

function Bar({ timeline, scale }: { timeline: Timeline; scale: number }) {
  const percent = (ms: number) => (Math.min(ms, scale) / scale) * 100;
  return (
    <div className="bar-track" data-cut={timeline.total > scale} aria-hidden="true">
      {timeline.parts.map(({ name, from, to }) => (
        <span
          key={name}
          className="bar-part"
          data-part={name}
          style={{ left: `${percent(from)}%`, width: `${percent(to) - percent(from)}%` }}
        />
      ))}
    </div>
  );
}

function isFailure({ outcome }: SyncRound): boolean {
  return !['ok', 'no_change', 'listed'].includes(outcome);
}

function resultOf(round: SyncRound): string {
  const { changed, deleted, pages, seq, times, outcome } = round;
  const failed = isFailure(round);
  const facts = [
    failed && 'given up for now',
    outcome === 'listed' && `${changed} listed`,
    outcome !== 'listed' && changed > 0 && `${changed} changed`,
    deleted > 0 && `${deleted} deleted`,
    !failed && changed + deleted === 0 && 'nothing new',
    times > 1 && `${times} times`,
    pages > 1 && times === 1 && `${pages} pages`,
    seq !== null && `message ${seq}`,
  ];
  return facts.filter((text) => text !== false).join(' · ');
}
