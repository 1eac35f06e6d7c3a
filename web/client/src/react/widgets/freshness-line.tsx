import type { ReactElement } from 'react';

import type { LiveState } from '../../core/live-state.js';
import type { Freshness as OfCalendar, Mode } from '../../generated/types.js';
import { type LiveResult, useCalwire } from '../hooks/index.js';
import type { Moment, Words } from './base.js';
import type { Labels } from './labels.js';

type TextLabel = 'connecting' | 'reconnecting' | 'offline' | 'failed' | 'live' | 'polling' | 'stale' | 'paused';
type Tone = 'good' | 'waiting' | 'bad';

type Freshness = Pick<LiveResult, 'live' | 'mode' | 'asOf' | 'fromSnapshot'> & { calendars?: readonly OfCalendar[] };

interface Told {
  tone: Tone;
  text: string;
  /** What is shown may have changed since, so say when it was true. */
  dated: boolean;
}

const CONNECTION_TROUBLE: Readonly<Record<Exclude<LiveState, 'live' | 'signedOut'>, [TextLabel, Tone]>> = {
  connecting: ['connecting', 'waiting'],
  reconnecting: ['reconnecting', 'waiting'],
  offline: ['offline', 'bad'],
  failed: ['failed', 'bad'],
};

const BY_MODE: Readonly<Record<Mode, [TextLabel, Tone, dated: boolean]>> = {
  push: ['live', 'good', false],
  polling: ['polling', 'good', true],
  stale: ['stale', 'waiting', true],
  paused: ['paused', 'bad', true],
};

/** How current what is shown is, in words. Null when there is nothing to say it of. */
export function freshnessOf({ live, mode, fromSnapshot, calendars = [] }: Freshness, labels: Labels): Told | null {
  if (live === 'signedOut') return null;
  if (live !== 'live') {
    const [label, tone] = CONNECTION_TROUBLE[live];
    return { tone, text: labels[label], dated: true };
  }
  if (fromSnapshot) return { tone: 'waiting', text: labels.lastKnown, dated: true };
  if (!mode) return null;
  const polled = calendars.filter((calendar) => calendar.mode === 'polling').length;
  // One calendar that Google cannot push, such as its holidays, makes the others no less live.
  if (mode === 'polling' && polled < calendars.length) {
    return { tone: 'good', text: labels.liveButPolled(polled), dated: false };
  }
  const [label, tone, dated] = BY_MODE[mode];
  return { tone, text: labels[label], dated };
}

interface Props {
  answer: Freshness;
  /** Something is shown that can be fresh. Without it only trouble is told. */
  hasContent: boolean;
  moment: Moment;
  words: Words;
}

/** "● Live", or since when it is not. Takes its line even when it is empty, so that nothing jumps. */
export function FreshnessLine({ answer, hasContent, moment, words: { formats, labels } }: Props): ReactElement {
  const calwire = useCalwire();
  const told = hasContent || answer.live !== 'live' ? freshnessOf(answer, labels) : null;
  const asOf = told?.dated && answer.asOf ? labels.asOf(formats.moment(answer.asOf, moment.now)) : null;
  return (
    <p className="calwire-freshness" data-tone={told?.tone}>
      {told && <span className="calwire-dot" aria-hidden="true" />}
      <span>{told && [told.text, asOf].filter(Boolean).join(' · ')}</span>
      {answer.live === 'failed' && (
        <button
          type="button"
          className="calwire-link"
          onClick={() => {
            calwire.retry();
          }}
        >
          {labels.retry}
        </button>
      )}
    </p>
  );
}
