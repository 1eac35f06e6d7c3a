import { type ReactElement, type ReactNode, useId } from 'react';

/** The attributes that a field passes to its control. */
export interface Control {
  id: string;
  disabled: boolean;
  'aria-invalid': true | undefined;
  'aria-describedby': string | undefined;
}

interface FieldProps {
  label: string;
  /** Why the value is invalid. */
  problem?: string | undefined;
  /** Why the field cannot be changed. */
  locked?: string | null | undefined;
  children: (control: Control) => ReactNode;
}

/** A label, its control, and a note. */
export function Field({ label, problem, locked, children }: FieldProps): ReactElement {
  const id = useId();
  const note = problem ?? locked;
  return (
    <div className="calwire-field">
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        disabled: Boolean(locked),
        'aria-invalid': problem ? true : undefined,
        'aria-describedby': note ? `${id}-note` : undefined,
      })}
      <Note id={`${id}-note`} problem={problem} locked={locked} />
    </div>
  );
}

interface GroupProps {
  label: string;
  locked?: string | null | undefined;
  problem?: string | undefined;
  className?: string;
  children: ReactNode;
}

/** Several controls with one label. */
export function Group({ label, locked, problem, className, children }: GroupProps): ReactElement {
  const id = useId();
  const note = problem ?? locked;
  const classes = ['calwire-field', 'calwire-field-group', className].filter(Boolean).join(' ');
  return (
    <fieldset className={classes} disabled={Boolean(locked)} aria-describedby={note ? id : undefined}>
      <legend>{label}</legend>
      {children}
      <Note id={id} problem={problem} locked={locked} />
    </fieldset>
  );
}

function Note({ id, problem, locked }: { id: string } & Pick<FieldProps, 'problem' | 'locked'>): ReactElement | null {
  const note = problem ?? locked;
  if (!note) return null;
  return (
    <p id={id} className={problem ? 'calwire-error' : 'calwire-quiet calwire-field-note'}>
      {note}
    </p>
  );
}

interface CheckProps {
  label: string;
  checked: boolean;
  locked?: string | null | undefined;
  onChange: (checked: boolean) => void;
}

export function Check({ label, checked, locked, onChange }: CheckProps): ReactElement {
  const id = useId();
  return (
    <div className="calwire-field">
      <label className="calwire-check">
        <input
          type="checkbox"
          checked={checked}
          disabled={Boolean(locked)}
          aria-describedby={locked ? id : undefined}
          onChange={(change) => {
            onChange(change.target.checked);
          }}
        />
        {label}
      </label>
      <Note id={id} locked={locked} />
    </div>
  );
}

interface ChoicesProps<T extends string> {
  label: string;
  options: readonly (readonly [T, string])[];
  value: T;
  onChange: (value: T) => void;
}

/** Radio buttons. */
export function Choices<T extends string>({ label, options, value, onChange }: ChoicesProps<T>): ReactElement {
  const name = useId();
  return (
    <Group label={label} className="calwire-choices">
      {options.map(([option, text]) => (
        <label key={option} className="calwire-check">
          <input
            type="radio"
            name={name}
            value={option}
            checked={value === option}
            onChange={() => {
              onChange(option);
            }}
          />
          {text}
        </label>
      ))}
    </Group>
  );
}

interface SelectProps<T extends string> {
  control: Control;
  options: readonly (readonly [T, string])[];
  value: T;
  onChange: (value: T) => void;
}

export function Select<T extends string>({ control, options, value, onChange }: SelectProps<T>): ReactElement {
  return (
    <select
      {...control}
      className="calwire-input"
      value={value}
      onChange={(change) => {
        onChange(change.target.value as T);
      }}
    >
      {options.map(([option, text]) => (
        <option key={option} value={option}>
          {text}
        </option>
      ))}
    </select>
  );
}
