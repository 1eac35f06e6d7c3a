import type { ReactElement } from 'react';

import { type DayString, nextSlot } from '../format/index.js';
import type { Words } from './base.js';
import type { Editing } from './editing.js';
import { PlusIcon } from './icons.js';

interface Props {
  editing: Editing;
  /** The day that is looked at. */
  day: DayString | null;
  words: Words;
}

export function NewEventButton({ editing, day, words }: Props): ReactElement {
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
      {words.labels.newEvent}
    </button>
  );
}
