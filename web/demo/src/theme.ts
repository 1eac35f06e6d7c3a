import { useState } from 'react';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

/** Read by `public/theme.js` too, before anything is painted. */
const KEY = 'calwire-demo-theme';

export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState(current);
  const choose = (next: Theme) => {
    apply(next);
    setTheme(next);
  };
  return [theme, choose];
}

function current(): Theme {
  const chosen = document.documentElement.dataset['calwireTheme'];
  return THEMES.find((theme) => theme === chosen) ?? 'system';
}

function apply(theme: Theme): void {
  const { dataset } = document.documentElement;
  if (theme === 'system') delete dataset['calwireTheme'];
  else dataset['calwireTheme'] = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Without storage the theme lasts until the page is closed.
  }
}
