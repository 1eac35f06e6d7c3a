import { type ReactElement, type ReactNode, useLayoutEffect, useRef } from 'react';

import { CloseIcon } from './icons.js';

interface DialogProps {
  /** The id of the heading that names it. */
  labelledBy: string;
  closeLabel: string;
  onClose: () => void;
  /** A click on the backdrop does not close it. */
  staysOpen?: boolean;
  children: ReactNode;
}

/**
 * A modal dialog, open while it is mounted. The browser keeps the focus inside. On close, the focus returns to the element
 * that had it, or, if that is gone because the event has moved, to the surrounding widget.
 */
export function Dialog({ labelledBy, closeLabel, onClose, staysOpen = false, children }: DialogProps): ReactElement {
  const element = useRef<HTMLDialogElement>(null);

  // A layout effect, because its cleanup runs before the element is removed, when the dialog can still be closed.
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
        // The owner closes the dialog by unmounting it.
        event.preventDefault();
        onClose();
      }}
      onClose={({ currentTarget: dialog }) => {
        if (dialog.open) return;
        // Browsers close it on a second Escape even if `cancel` was prevented, which would discard the input.
        show(dialog);
        onClose();
      }}
      onClick={(event) => {
        // A box fills the dialog, so only clicks on the backdrop have the dialog itself as target.
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
  // React applies `autoFocus` before the dialog is open. The last one belongs to a confirmation below the form.
  [...dialog.querySelectorAll<HTMLElement>('[data-autofocus]')].at(-1)?.focus();
}

function focusOn(element: HTMLElement | null): void {
  if (!element?.isConnected) return;
  if (element.tabIndex < 0) element.tabIndex = -1;
  element.focus({ preventScroll: true });
}
