import { type ReactElement, type ReactNode, useLayoutEffect, useRef } from 'react';

import { CloseIcon } from './icons.js';

interface Props {
  /** The id of the heading that names it. */
  labelledBy: string;
  closeLabel: string;
  onClose: () => void;
  /** A click beside it does not close it. */
  staysOpen?: boolean;
  children: ReactNode;
}

/**
 * A modal dialog while it is mounted. The browser keeps the focus inside, and tells of Escape. The focus goes back to
 * where it was; when that is gone, because the event moved meanwhile, to the widget around it.
 */
export function Dialog({ labelledBy, closeLabel, onClose, staysOpen = false, children }: Props): ReactElement {
  const element = useRef<HTMLDialogElement>(null);

  // A layout effect, for its end comes before the element goes: a dialog that is gone can no longer be closed.
  useLayoutEffect(() => {
    const dialog = element.current;
    if (!dialog) return;
    const widget = dialog.closest<HTMLElement>('.calwire');
    const opener = document.activeElement;
    if (!dialog.open) show(dialog);
    return () => {
      dialog.close();
      const back = opener instanceof HTMLElement && opener !== document.body && opener.isConnected ? opener : widget;
      focusOn(back);
    };
  }, []);

  return (
    <dialog
      ref={element}
      className="calwire-dialog"
      aria-labelledby={labelledBy}
      onCancel={(event) => {
        // Closing is up to the owner, which takes it away.
        event.preventDefault();
        onClose();
      }}
      onClose={({ currentTarget: dialog }) => {
        if (dialog.open) return;
        // Escape twice in a row closes it whatever `cancel` was answered, and what was written would go with it.
        show(dialog);
        onClose();
      }}
      onClick={(event) => {
        // Inside there is a box that fills the dialog, so the dialog itself is hit through its backdrop only.
        if (event.target === event.currentTarget && !staysOpen) onClose();
      }}
    >
      <div className="calwire-dialog-box">
        <button type="button" className="calwire-icon-button calwire-dialog-close" onClick={onClose}>
          <CloseIcon />
          <span className="calwire-hidden">{closeLabel}</span>
        </button>
        {children}
      </div>
    </dialog>
  );
}

function show(dialog: HTMLDialogElement): void {
  dialog.showModal();
  // React's `autoFocus` comes before the dialog is open. Of several the last, which asks about what is above it.
  [...dialog.querySelectorAll<HTMLElement>('[data-autofocus]')].at(-1)?.focus();
}

function focusOn(element: HTMLElement | null): void {
  if (!element?.isConnected) return;
  if (element.tabIndex < 0) element.tabIndex = -1;
  element.focus({ preventScroll: true });
}
