import type { EventInput } from '@fullcalendar/react';
import type { CSSProperties, ReactElement } from 'react';

import type { Words } from '../widgets/base.js';
import { type BusyOverlay, laneName, laneStyle } from '../widgets/busy-overlay.js';

/** The lane of the block for all calendars together. */
const NO_LANE = -1;

/** Background blocks: the time when any calendar is busy, and on it a strip for each busy calendar. */
export function busyInputs({ lanes, any }: BusyOverlay): EventInput[] {
  const input = (lane: number, { from, to }: { from: number; to: number }): EventInput => ({
    id: `busy ${lane} ${from}`,
    start: new Date(from).toISOString(),
    end: new Date(to).toISOString(),
    display: 'background',
    extendedProps: { lane },
  });
  return [
    ...any.map((span) => input(NO_LANE, span)),
    ...lanes.flatMap(({ spans }, lane) => spans.map((span) => input(lane, span))),
  ];
}

interface BusyBlockProps {
  event: { start: Date | null; end: Date | null; extendedProps: Record<string, unknown> };
  busy: BusyOverlay;
  words: Words;
}

export function BusyBlock({ event, busy, words: { formats, labels } }: BusyBlockProps): ReactElement {
  const index = event.extendedProps['lane'] as number;
  const lane = busy.lanes[index];
  if (!lane) return <span className="calwire-busy-any" />;
  const name = laneName(lane.calendar, labels);
  const style: CSSProperties & Record<`--${string}`, unknown> = { ...laneStyle(lane.calendar), '--lane': index };
  const times =
    event.start && event.end
      ? formats.times({ start: event.start.toISOString(), end: event.end.toISOString(), allDay: false })
      : null;
  return (
    <span className="calwire-busy-lane" style={style}>
      <span className="calwire-hidden">{[labels.busy, name, times].filter(Boolean).join(', ')}</span>
    </span>
  );
}
