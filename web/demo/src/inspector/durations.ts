// Formatted durations, and the timeline of a round.

import type { SyncRound } from '@calwire/client';

/** A part of a round, in milliseconds since it was requested. */
export interface Part {
  name: 'waited' | 'pulled' | 'published' | 'arrived';
  from: number;
  to: number;
}

export interface Timeline {
  parts: Part[];
  /** From the request to the end of the last known part, in milliseconds. */
  total: number;
}

/**
 * The last part compares the clocks of the services and of this browser, which may differ. It is left out if the arrival is
 * implausible: before the commit, or this many milliseconds after the publication.
 */
const MAX_DELAY = 30_000;

/** The round's timeline. `receivedAt` is when this tab received its message. */
export function timelineOf(round: SyncRound, receivedAt: number | null): Timeline {
  const start = Date.parse(round.askedAt);
  const after = (moment: string) => Math.max(0, Date.parse(moment) - start);
  const committed = after(round.committedAt);
  const published = round.publishedAt === null ? null : after(round.publishedAt);
  const arrived = receivedAt === null ? null : receivedAt - start;
  const ends: [Part['name'], number | null][] = [
    ['waited', after(round.startedAt)],
    ['pulled', committed],
    ['published', published],
    // It may arrive before the services have the broker's response to the publication.
    ['arrived', published !== null && isPlausible(arrived, committed, published) ? arrived : null],
  ];
  const parts: Part[] = [];
  let from = 0;
  for (const [name, to] of ends) {
    if (to === null) break;
    parts.push({ name, from, to: Math.max(from, to) });
    from = Math.max(from, to);
  }
  return { parts, total: from };
}

function isPlausible(arrived: number | null, committed: number, published: number): boolean {
  return arrived !== null && arrived >= committed && arrived <= published + MAX_DELAY;
}

/** `84 ms`, `1.9 s`, `3 min`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

const STEPS: [number, string][] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
];

/** The two largest units: `6 d 23 h`, `4 min 10 s`. */
export function span(ms: number): string {
  const rest = Math.max(0, ms);
  const first = STEPS.findIndex(([size]) => rest >= size);
  if (first < 0) return '0 s';
  const [large, small] = [STEPS[first], STEPS[first + 1]];
  if (!large) return '0 s';
  const head = `${Math.floor(rest / large[0])} ${large[1]}`;
  const count = small ? Math.floor((rest % large[0]) / small[0]) : 0;
  return small && count > 0 ? `${head} ${count} ${small[1]}` : head;
}

/** The largest unit alone: `2 h ago`. */
export function roughlyAgo(moment: string, now: Date): string {
  return ago(moment, now).replace(/^(\d+ \w+) \d.* ago$/, '$1 ago');
}

export function ago(moment: string | number, now: Date): string {
  const passed = now.getTime() - (typeof moment === 'number' ? moment : Date.parse(moment));
  return passed < 1500 ? 'just now' : `${span(passed)} ago`;
}

export function until(moment: string, now: Date): string {
  const left = Date.parse(moment) - now.getTime();
  return left <= 0 ? 'due now' : `in ${span(left)}`;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export function clock(moment: string | number): string {
  return CLOCK.format(new Date(moment));
}
