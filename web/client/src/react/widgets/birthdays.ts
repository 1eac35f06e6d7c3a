import { useSyncExternalStore } from 'react';

import type { EventType } from '../../generated/types.js';
import { savedText } from './saved-text.js';

/** Whether the user sees birthdays. Saved in this browser. */
export interface BirthdayChoice {
  shown: boolean;
  choose: (shown: boolean) => void;
}

const saved = savedText('calwire.birthdays');
const HIDDEN = 'hidden';

const OTHERS: EventType[] = ['default', 'focusTime', 'fromGmail', 'outOfOffice', 'workingLocation'];

export function useBirthdays(): BirthdayChoice {
  const text = useSyncExternalStore(saved.subscribe, saved.read, nothing);
  return { shown: text !== HIDDEN, choose };
}

/** The types that a widget shows: the host's, else `usual` or all, without birthdays if the user hides them. */
export function useEventTypes(given: EventType[] | undefined, usual?: EventType[]): EventType[] | undefined {
  const { shown } = useBirthdays();
  if (given || shown) return given ?? usual;
  return (usual ?? OTHERS).filter((type) => type !== 'birthday');
}

function choose(shown: boolean): void {
  saved.save(shown ? 'shown' : HIDDEN);
}

function nothing(): null {
  return null;
}
