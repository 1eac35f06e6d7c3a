import type { ReactElement } from 'react';

import { type DayString, nextSlot } from '../format/index.js';
import type { Words } from './base.js';
import type { Editing } from './editing.js';
import { PlusIcon } from './icons.js';

interface NewEventButtonProps {
  editing: Editing;
  /** The shown day. */
  day: DayString | null;
  words: Words;
  /** Only the icon in a narrow container. */
  compact?: boolean;
}

export function NewEventButton({ editing, day, words, compact = false }: NewEventButtonProps): ReactElement {
  return (
    <button
      type="button"
      className="calwire-button calwire-primary calwire-new-event"
      aria-haspopup="dialog"
      onClick={() => {
        editing.add(nextSlot(new Date(), day, words.formats.timeZone));
      }}
    >
      <PlusIcon />
      <span className={compact ? 'calwire-wide-only' : undefined}>{words.labels.newEvent}</span>
    </button>
  );
}
