import { type ReactElement, useEffect, useRef, useSyncExternalStore } from 'react';

import type { EditNotice, UseEventEditorResult } from '../hooks/use-event-editor.js';
import { plainLine, shorten } from '../format/index.js';
import { CloseIcon } from './icons.js';
import type { Labels } from './labels.js';

interface SnackbarProps {
  editor: UseEventEditorResult;
  labels: Labels;
  onCompare: (notice: EditNotice) => void;
}

/** Shows the newest notice about an edit, above everything else on the page. */
export function Snackbar({ editor, labels, onCompare }: SnackbarProps): ReactElement {
  const isHost = useIsHost();
  const bar = useRef<HTMLDivElement>(null);
  const notice = isHost ? editor.notices.at(-1) : undefined;
  const id = notice?.id;
  const { hold } = editor;
  useEffect(() => {
    const element = bar.current;
    if (!element || id === undefined) return;
    // The top layer, above any stacking context around the widget. Not every browser has it.
    (element as Partial<HTMLElement>).showPopover?.();
    return () => {
      // The bar shows another notice now, so leaving it would not release this one.
      hold(id, false);
      if (element.isConnected) (element as Partial<HTMLElement>).hidePopover?.();
    };
  }, [id, hold]);
  useEffect(() => {
    if (notice?.kind !== 'saved' && notice?.kind !== 'merged') return;
    const timer = setTimeout(() => editor.dismiss(notice.id), SHOWN_FOR);
    return () => {
      clearTimeout(timer);
    };
  }, [notice, editor]);
  const holding = (held: boolean) => () => {
    if (id !== undefined) hold(id, held);
  };
  return (
    <div
      ref={bar}
      className="calwire-snackbar"
      popover="manual"
      data-shown={notice !== undefined}
      onPointerEnter={holding(true)}
      onPointerLeave={holding(false)}
      onFocus={holding(true)}
      onBlur={holding(false)}
    >
      <p role="status">{notice && textOf(notice, labels)}</p>
      {notice && <Action notice={notice} editor={editor} labels={labels} onCompare={onCompare} />}
      {notice && (
        <button
          type="button"
          className="calwire-icon-button"
          aria-label={labels.dismiss}
          onClick={() => {
            editor.dismiss(notice.id);
          }}
        >
          <CloseIcon />
        </button>
      )}
    </div>
  );
}

/** Notices of success disappear after this time. */
const SHOWN_FOR = 6_000;
const TITLE_LENGTH = 60;

function textOf({ kind, edit, error }: EditNotice, labels: Labels): string {
  const known = edit.kind === 'create' ? edit.patch.title : edit.event.title;
  const title = shorten(plainLine(known) || labels.untitled, TITLE_LENGTH);
  switch (kind) {
    case 'rejected':
      return labels.rejected(title, error?.message ?? labels.failed);
    case 'unknown':
      return labels.outcomeUnknown(title);
    case 'conflict':
      return labels.conflicted(title);
    default:
      return labels[kind](title);
  }
}

function Action({ notice, editor, labels, onCompare }: SnackbarProps & { notice: EditNotice }): ReactElement | null {
  const { kind, id, error } = notice;
  const [text, act] =
    kind === 'deleted'
      ? [labels.undo, () => editor.undo(id)]
      : kind === 'conflict'
        ? [labels.compare, () => onCompare(notice)]
        : kind === 'unknown'
          ? [labels.retry, () => void editor.retry(id)]
          : kind === 'rejected' && error?.retryable
            ? [labels.retry, () => void editor.again(notice)]
            : [null, () => undefined];
  if (text === null) return null;
  return (
    <button
      type="button"
      className="calwire-button"
      onClick={() => {
        act();
      }}
    >
      {text}
    </button>
  );
}

// Of several editable widgets on a page, the first mounted one shows notices.
let hosts: readonly symbol[] = [];
const listeners = new Set<() => void>();

function setHosts(next: readonly symbol[]): void {
  hosts = next;
  for (const listener of [...listeners]) listener();
}

function useIsHost(): boolean {
  const own = useRef<symbol | null>(null);
  const first = useSyncExternalStore(subscribe, firstHost, firstHost);
  useEffect(() => {
    const host = Symbol('host');
    own.current = host;
    setHosts([...hosts, host]);
    return () => setHosts(hosts.filter((each) => each !== host));
  }, []);
  // eslint-disable-next-line react-hooks/refs -- it is set before it can be the first
  return first !== undefined && first === own.current;
}

const firstHost = () => hosts[0];

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
