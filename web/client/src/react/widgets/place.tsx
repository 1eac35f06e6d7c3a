import type { ReactElement } from 'react';

import { plainLine, safeUrl } from '../format/index.js';
import { Foreign, OutLink } from './base.js';
import type { Labels } from './labels.js';

/** The event's location, as a link if it is a URL. */
export function Place({ location, labels }: { location: string | null; labels: Labels }): ReactElement | null {
  const text = plainLine(location);
  if (!text) return null;
  const url = safeUrl(text);
  if (!url) return <Foreign>{text}</Foreign>;
  return (
    <OutLink href={url} labels={labels}>
      <Foreign>{text}</Foreign>
    </OutLink>
  );
}
