import { type ReactElement, useEffect, useId, useMemo, useRef, useState } from 'react';

import { linkParts, plainText } from '../format/index.js';
import { OutLink } from './base.js';
import type { Labels } from './labels.js';

interface DescriptionProps {
  text: string | null;
  labels: Labels;
  /** Show three lines until the user expands it. */
  clamped?: boolean;
}

/** The event's description, as text with links. */
export function Description({ text, labels, clamped = false }: DescriptionProps): ReactElement | null {
  const id = useId();
  const element = useRef<HTMLParagraphElement>(null);
  const [open, setOpen] = useState(false);
  const [overflows, setOverflows] = useState(false);
  const plain = useMemo(() => plainText(text), [text]);

  useEffect(() => {
    const paragraph = element.current;
    if (!paragraph || !clamped || open) return;
    const measure = () => {
      setOverflows(paragraph.scrollHeight > paragraph.clientHeight + 1);
    };
    measure();
    if (typeof ResizeObserver === 'undefined') return;
    const observer = new ResizeObserver(measure);
    observer.observe(paragraph);
    return () => {
      observer.disconnect();
    };
  }, [plain, clamped, open]);

  if (!plain) return null;
  return (
    <div className="calwire-description">
      <p ref={element} id={id} dir="auto" className={clamped && !open ? 'calwire-clamp-3' : undefined}>
        {linkParts(plain).map((part, index) =>
          part.url ? (
            <OutLink key={index} href={part.url} labels={labels}>
              {part.text}
            </OutLink>
          ) : (
            part.text
          ),
        )}
      </p>
      {clamped && (overflows || open) && (
        <button
          type="button"
          className="calwire-link"
          aria-expanded={open}
          aria-controls={id}
          onClick={() => {
            setOpen(!open);
          }}
        >
          {open ? labels.less : labels.more}
        </button>
      )}
    </div>
  );
}
