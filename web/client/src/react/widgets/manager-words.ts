import { useMemo } from 'react';

import { type AccountLabels, englishAccountLabels } from './account-labels.js';
import { useWords, type WidgetProps, type Words } from './base.js';
import type { Labels } from './labels.js';

/** All texts of the account manager. */
export type ManagerLabels = Labels & AccountLabels;
export type ManagerWords = Words & { labels: ManagerLabels };

/** The account manager's texts are loaded with it, so that other pages do not load them. */
export function useManagerWords(props: WidgetProps): ManagerWords {
  const words = useWords(props);
  return useMemo(() => ({ ...words, labels: { ...englishAccountLabels, ...words.labels } }), [words]);
}
