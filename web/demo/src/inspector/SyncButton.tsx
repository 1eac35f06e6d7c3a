import { Icon } from '../parts/Icon';
import type { SyncPhase } from './use-sync-now';

const TEXTS: Record<SyncPhase, string> = {
  idle: '',
  syncing: 'Checking Google…',
  done: 'In step with Google',
  slow: 'No answer yet',
  failed: 'Request failed',
};

interface SyncButtonProps {
  phase: SyncPhase;
  onClick: () => void;
  label: string;
  /** The synced calendars, for screen readers. */
  of: string;
  primary?: boolean;
}

export function SyncButton({ phase, onClick, label, of, primary = false }: SyncButtonProps) {
  return (
    <span className="sync-button" data-phase={phase}>
      <span role="status" className="sync-state">
        {TEXTS[phase]}
      </span>
      <button
        type="button"
        className={primary ? 'button primary' : 'button small'}
        aria-disabled={phase === 'syncing'}
        onClick={() => {
          if (phase !== 'syncing') onClick();
        }}
      >
        <Icon name="refresh" size={15} />
        {label}
        <span className="visually-hidden"> {of}</span>
      </button>
    </span>
  );
}
