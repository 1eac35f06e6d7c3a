import { useEffect, type ReactNode } from 'react';

import { Brand } from './Brand';

/** A page that shows only an error. */
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
