import { type ReactElement, useId, useRef, useState } from 'react';

import { Foreign } from '../widgets/base.js';
import { CloseIcon } from '../widgets/icons.js';
import type { Labels } from '../widgets/labels.js';
import { type Draft, guestsIn, guestsOf } from './draft.js';
import { Group } from './field.js';

type Guests = Pick<Draft, 'guests' | 'guestText'>;

interface GuestsProps extends Guests {
  problem: string | undefined;
  labels: Labels;
  locked: string | null;
  onChange: (change: Partial<Guests>) => void;
}

export function GuestsField(props: GuestsProps): ReactElement {
  const { guests, guestText: text, labels, locked, onChange } = props;
  const [isInvalid, setInvalid] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const add = () => {
    const more = guestsIn(text);
    setInvalid(more === null);
    if (more !== null && more.length > 0) onChange({ guests: guestsOf(props), guestText: '' });
  };
  const problem = isInvalid ? labels.problems.guest : props.problem;
  return (
    <Group label={labels.guestList} locked={locked} problem={problem}>
      {guests.length > 0 && (
        <ul className="calwire-tokens">
          {guests.map((guest) => (
            <li key={guest.email}>
              <Foreign>{guest.displayName ?? guest.email}</Foreign>
              <button
                type="button"
                aria-label={labels.remove(guest.displayName ?? guest.email)}
                onClick={() => {
                  onChange({ guests: guests.filter((each) => each !== guest) });
                  input.current?.focus();
                }}
              >
                <CloseIcon />
              </button>
            </li>
          ))}
        </ul>
      )}
      {locked === null && (
        <div className="calwire-field-row">
          <label className="calwire-hidden" htmlFor={id}>
            {labels.addGuest}
          </label>
          <input
            ref={input}
            id={id}
            // Not `email`, which accepts only one address.
            type="text"
            inputMode="email"
            autoComplete="off"
            className="calwire-input"
            placeholder={labels.addGuest}
            aria-invalid={problem ? true : undefined}
            value={text}
            onChange={(change) => {
              onChange({ guestText: change.target.value });
              setInvalid(false);
            }}
            onKeyDown={(press) => {
              if (press.key !== 'Enter') return;
              // Adds the guest instead of submitting the form.
              press.preventDefault();
              add();
            }}
            onBlur={add}
          />
          <button type="button" className="calwire-button" onClick={add}>
            {labels.add}
          </button>
        </div>
      )}
    </Group>
  );
}
