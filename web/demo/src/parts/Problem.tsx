import { useEffect, type ReactNode } from 'react';

import { Brand } from './Brand';

/** The whole page, when there is nothing else to show. */
export function Problem({ title, children }: { title: string; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Calwire`;
  }, [title]);
  return (
    <main className="alone">
      <Brand />
      <h1>{title}</h1>
      {children}
    </main>
  );
}
