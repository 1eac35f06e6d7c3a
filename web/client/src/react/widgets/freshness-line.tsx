import type { ReactElement } from 'react';

import type { LiveState } from '../../core/live-state.js';
import type { Freshness, Mode } from '../../generated/types.js';
import { type LiveResult, useCalwire } from '../hooks/index.js';
import type { Moment, Words } from './base.js';
import type { Labels } from './labels.js';

type TextLabel = 'connecting' | 'reconnecting' | 'offline' | 'failed' | 'live' | 'polling' | 'stale' | 'paused';
type Tone = 'good' | 'waiting' | 'bad';

type LiveFields = Pick<LiveResult, 'live' | 'mode' | 'asOf' | 'fromSnapshot'> & { calendars?: readonly Freshness[] };

interface FreshnessText {
  tone: Tone;
  text: string;
  /** The data may be outdated, so show its time. */
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

/** Describes how current the data is. Null if there is no data. */
export function freshnessOf(
  { live, mode, fromSnapshot, calendars = [] }: LiveFields,
  labels: Labels,
): FreshnessText | null {
  if (live === 'signedOut') return null;
  if (live !== 'live') {
    const [label, tone] = CONNECTION_TROUBLE[live];
    return { tone, text: labels[label], dated: true };
  }
  if (fromSnapshot) return { tone: 'waiting', text: labels.lastKnown, dated: true };
  if (!mode) return null;
  const polled = calendars.filter((calendar) => calendar.mode === 'polling').length;
  // Calendars without push, such as Google's holidays, do not make the others less live.
  if (mode === 'polling' && polled < calendars.length) {
    return { tone: 'good', text: labels.liveButPolled(polled), dated: false };
  }
  const [label, tone, dated] = BY_MODE[mode];
  return { tone, text: labels[label], dated };
}

interface FreshnessLineProps {
  result: LiveFields;
  /** Whether data is shown. Without data, only problems are reported. */
  hasContent: boolean;
  moment: Moment;
  words: Words;
}

/** "● Live", or how old the data is. Takes its space even when empty, so that the layout does not shift. */
export function FreshnessLine({
  result,
  hasContent,
  moment,
  words: { formats, labels },
}: FreshnessLineProps): ReactElement {
  const calwire = useCalwire();
  const freshness = hasContent || result.live !== 'live' ? freshnessOf(result, labels) : null;
  const asOf = freshness?.dated && result.asOf ? labels.asOf(formats.moment(result.asOf, moment.now)) : null;
  return (
    <p className="calwire-freshness" data-tone={freshness?.tone}>
      {freshness && <span className="calwire-dot" aria-hidden="true" />}
      <span>{freshness && [freshness.text, asOf].filter(Boolean).join(' · ')}</span>
      {result.live === 'failed' && (
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
