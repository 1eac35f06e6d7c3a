import { useMemo, useSyncExternalStore } from 'react';

import type { CalendarInfo } from '../../generated/types.js';

/** Which calendars a week shows by their busy times only. */
export interface BusyChoice {
  isBusyOnly: (calendar: CalendarInfo) => boolean;
  choose: (calendar: CalendarInfo, busyOnly: boolean) => void;
}

interface Given {
  /** The host's choice. Without it the person's own is kept in this browser. */
  ids: readonly string[] | undefined;
  onChange: ((ids: string[]) => void) | undefined;
}

type Chosen = Readonly<Record<string, boolean>>;

/** Ids of calendars are random, and no two users have one in common: the key needs no user's name. */
const KEY = 'calwire.busy-only';
/** Calendars come and go. */
const MOST = 500;

const listeners = new Set<() => void>();
/** Where the browser keeps nothing, the choice lasts as long as the page. */
let unkept: string | null = null;

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
      // A calendar that tells no more than busy times is shown by them unless the person wants otherwise.
      isBusyOnly: ({ id, accessRole }) => chosen[id] ?? accessRole === 'freeBusyReader',
      choose: ({ id }, busyOnly) => {
        keep(id, busyOnly);
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

function keep(id: string, busyOnly: boolean): void {
  const others = Object.entries(parse(read())).filter(([other]) => other !== id);
  const text = JSON.stringify(Object.fromEntries([...others, [id, busyOnly]].slice(-MOST)));
  try {
    localStorage.setItem(KEY, text);
    unkept = null;
  } catch {
    unkept = text;
  }
  for (const listener of listeners) listener();
}

function read(): string | null {
  try {
    return unkept ?? localStorage.getItem(KEY);
  } catch {
    return unkept;
  }
}

function nothing(): null {
  return null;
}

/** Also of another tab's choice. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener('storage', listener);
  return () => {
    listeners.delete(listener);
    removeEventListener('storage', listener);
  };
}
