import { useMemo, useSyncExternalStore } from 'react';

import type { CalendarInfo } from '../../generated/types.js';
import { savedText } from './saved-text.js';

/** The calendars that a week shows by their busy times only. */
export interface BusyChoice {
  isBusyOnly: (calendar: CalendarInfo) => boolean;
  choose: (calendar: CalendarInfo, busyOnly: boolean) => void;
}

interface BusyChoiceOptions {
  /** The host's choice. Without it, the user's own is saved in this browser. */
  ids: readonly string[] | undefined;
  onChange: ((ids: string[]) => void) | undefined;
}

type Chosen = Readonly<Record<string, boolean>>;

/** Calendar ids are random and differ between users, so the key does not contain the user. */
const saved = savedText('calwire.busy-only');
/** Limits the saved choices, because calendars are added and removed over time. */
const MAX_SAVED = 500;

export function useBusyChoice({ ids, onChange }: BusyChoiceOptions): BusyChoice {
  const text = useSyncExternalStore(saved.subscribe, saved.read, nothing);
  return useMemo(() => {
    if (ids) {
      return {
        isBusyOnly: ({ id }) => ids.includes(id),
        choose: ({ id }, busyOnly) => {
          const others = ids.filter((other) => other !== id);
          onChange?.(busyOnly ? [...others, id] : others);
        },
      };
    }
    const chosen = parse(text);
    return {
      // A calendar that shares only busy times is shown by them unless the user chooses otherwise.
      isBusyOnly: ({ id, accessRole }) => chosen[id] ?? accessRole === 'freeBusyReader',
      choose: ({ id }, busyOnly) => {
        save(id, busyOnly);
      },
    };
  }, [ids, onChange, text]);
}

function parse(text: string | null): Chosen {
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    return typeof value === 'object' && value !== null ? (value as Chosen) : {};
  } catch {
    return {};
  }
}

function save(id: string, busyOnly: boolean): void {
  const others = Object.entries(parse(saved.read())).filter(([other]) => other !== id);
  saved.save(JSON.stringify(Object.fromEntries([...others, [id, busyOnly]].slice(-MAX_SAVED))));
}

function nothing(): null {
  return null;
}
