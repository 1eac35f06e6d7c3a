// Spans of time for a person, and the parts of a round.

import type { SyncRound } from '@calwire/client';

/** One part of a round's way, in milliseconds after it was asked for. */
export interface Part {
  name: 'waited' | 'pulled' | 'published' | 'arrived';
  from: number;
  to: number;
}

export interface Way {
  parts: Part[];
  /** From the question to the last thing that is known, in milliseconds. */
  total: number;
}

/**
 * Two clocks are compared for the last part: the services' and this browser's. Where they are not on one machine they
 * may disagree, and then the part is left out rather than invented: a message does not come before what it tells is
 * committed, nor this much later than it was published, in milliseconds.
 */
const LATE_AT_MOST = 30_000;

/** The round's way, and on to this tab if its message came here at `receivedAt`. */
export function wayOf(round: SyncRound, receivedAt: number | null): Way {
  const start = Date.parse(round.askedAt);
  const after = (moment: string) => Math.max(0, Date.parse(moment) - start);
  const committed = after(round.committedAt);
  const published = round.publishedAt === null ? null : after(round.publishedAt);
  const arrived = receivedAt === null ? null : receivedAt - start;
  const stations: [Part['name'], number | null][] = [
    ['waited', after(round.startedAt)],
    ['pulled', committed],
    ['published', published],
    // It may be here before the broker's answer to the publication is with the services.
    ['arrived', published !== null && isBelievable(arrived, committed, published) ? arrived : null],
  ];
  const parts: Part[] = [];
  let from = 0;
  for (const [name, to] of stations) {
    if (to === null) break;
    parts.push({ name, from, to: Math.max(from, to) });
    from = Math.max(from, to);
  }
  return { parts, total: from };
}

function isBelievable(arrived: number | null, committed: number, published: number): boolean {
  return arrived !== null && arrived >= committed && arrived <= published + LATE_AT_MOST;
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
