import type { MouseEvent, ReactNode } from 'react';

import { addressOf, navigate, type Address } from '../address';

interface PageLinkProps {
  to: Address;
  className?: string;
  current?: boolean;
  onFollow?: () => void;
  children: ReactNode;
}

/** A link within the page. It does not reload, unless opened in another tab or window. */
export function PageLink({ to, className, current = false, onFollow, children }: PageLinkProps) {
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
    onFollow?.();
  };
  return (
    <a href={addressOf(to)} className={className} aria-current={current ? 'page' : undefined} onClick={follow}>
      {children}
    </a>
  );
}
