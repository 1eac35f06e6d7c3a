import { Icon } from '../parts/Icon';
import type { SyncPhase } from './use-sync-now';

const TEXTS: Record<SyncPhase, string> = {
  idle: '',
  asking: 'Asking Google…',
  done: 'In step with Google',
  slow: 'Not answered yet',
  failed: 'Could not be asked',
};

interface SyncButtonProps {
  phase: SyncPhase;
  onClick: () => void;
  label: string;
  /** What is synced, for those who cannot see what the button stands beside. */
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
        aria-disabled={phase === 'asking'}
        onClick={() => {
          if (phase !== 'asking') onClick();
        }}
      >
        <Icon name="refresh" size={15} />
        {label}
        <span className="visually-hidden"> {of}</span>
      </button>
    </span>
  );
}
