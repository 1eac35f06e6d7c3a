import { useMemo, useSyncExternalStore } from 'react';

import type { CalendarInfo } from '../../generated/types.js';

/** The calendars that a week shows by their busy times only. */
export interface BusyChoice {
  isBusyOnly: (calendar: CalendarInfo) => boolean;
  choose: (calendar: CalendarInfo, busyOnly: boolean) => void;
}

interface Given {
  /** The host's choice. Without it, the user's own is saved in this browser. */
  ids: readonly string[] | undefined;
  onChange: ((ids: string[]) => void) | undefined;
}

type Chosen = Readonly<Record<string, boolean>>;

/** Calendar ids are random and differ between users, so the key does not contain the user. */
const KEY = 'calwire.busy-only';
/** Limits the saved choices, because calendars are added and removed over time. */
const MAX_SAVED = 500;

const listeners = new Set<() => void>();
/** The choice for this page if the browser cannot save it. */
let unsaved: string | null = null;

export function useBusyChoice({ ids, onChange }: Given): BusyChoice {
  const text = useSyncExternalStore(subscribe, read, nothing);
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
  const others = Object.entries(parse(read())).filter(([other]) => other !== id);
  const text = JSON.stringify(Object.fromEntries([...others, [id, busyOnly]].slice(-MAX_SAVED)));
  try {
    localStorage.setItem(KEY, text);
    unsaved = null;
  } catch {
    unsaved = text;
  }
  for (const listener of listeners) listener();
}

function read(): string | null {
  try {
    return unsaved ?? localStorage.getItem(KEY);
  } catch {
    return unsaved;
  }
}

function nothing(): null {
  return null;
}

/** Also notifies of another tab's choice. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener('storage', listener);
  return () => {
    listeners.delete(listener);
    removeEventListener('storage', listener);
  };
}
