import type { ReactElement } from 'react';

/** Shown while the accounts load. */
export function ManagerSkeleton({ label }: { label: string }): ReactElement {
  return (
    <div className="calwire-manager-account calwire-skeleton">
      <p className="calwire-hidden">{label}</p>
      <span className="calwire-skeleton-line calwire-skeleton-title" style={{ inlineSize: '45%' }} />
      {[60, 45, 70].map((width) => (
        <div key={width} className="calwire-choice">
          <span className="calwire-skeleton-line" style={{ inlineSize: `${width}%` }} />
        </div>
      ))}
    </div>
  );
}
