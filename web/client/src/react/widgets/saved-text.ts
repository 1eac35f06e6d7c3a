/** A text that is saved in this browser, and shared by all components of the page. */
export interface SavedText {
  read: () => string | null;
  save: (text: string) => void;
  /** Also notifies of another tab's change. */
  subscribe: (listener: () => void) => () => void;
}

export function savedText(key: string): SavedText {
  const listeners = new Set<() => void>();
  /** The text for this page if the browser cannot save it. */
  let unsaved: string | null = null;
  return {
    read: () => {
      try {
        return unsaved ?? localStorage.getItem(key);
      } catch {
        return unsaved;
      }
    },
    save: (text) => {
      try {
        localStorage.setItem(key, text);
        unsaved = null;
      } catch {
        unsaved = text;
      }
      for (const listener of listeners) listener();
    },
    subscribe: (listener) => {
      listeners.add(listener);
      addEventListener('storage', listener);
      return () => {
        listeners.delete(listener);
        removeEventListener('storage', listener);
      };
    },
  };
}
