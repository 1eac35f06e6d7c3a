import type { ReactElement } from 'react';

import type { SendUpdates, SeriesScope, Transparency, Visibility } from '../../generated/types.js';
import type { CalendarEvent } from '../../index.js';
import type { Words } from '../widgets/base.js';
import { ColourField } from './colour-field.js';
import type { Draft, problemsOf } from './draft.js';
import { Check, Choices, Field, Select } from './field.js';
import { GuestsField } from './guests-field.js';
import { RemindersField } from './reminders-field.js';
import { RepeatField } from './repeat-field.js';
import { allDayLock, hasGuests, lockOf } from './permissions.js';
import { useWritable } from './use-writable.js';
import { WhenFields } from './when-fields.js';

/** The scope of an edit, and the guests to mail. */
export interface Mailing {
  scope: SeriesScope;
  sendUpdates: SendUpdates;
}

interface FieldsProps {
  draft: Draft;
  opened: Draft;
  /** Null for a new event. */
  event: CalendarEvent | null;
  /** Why the texts that the event has cut cannot be changed. Null: all of them is known. */
  textLock: string | null;
  problems: ReturnType<typeof problemsOf>;
  mailing: Mailing;
  words: Words;
  onChange: (draft: Draft) => void;
  onMailing: (mailing: Mailing) => void;
}

const SCOPES: readonly SeriesScope[] = ['this', 'following', 'all'];
const MAILINGS: readonly SendUpdates[] = ['all', 'externalOnly', 'none'];
const TRANSPARENCIES: readonly Transparency[] = ['opaque', 'transparent'];
const VISIBILITIES: readonly Visibility[] = ['default', 'public', 'private'];

export function EventFields(props: FieldsProps): ReactElement {
  const { draft, opened, event, textLock, problems, mailing, words, onChange, onMailing } = props;
  const { labels } = words;
  const { all } = useWritable();
  const calendar = all.find(({ id }) => id === draft.calendarId);
  const lock = (field: string) =>
    event ? ((event.cutFields?.includes(field) ? textLock : null) ?? lockOf(event, field, calendar, labels)) : null;
  const put = (change: Partial<Draft>) => {
    onChange({ ...draft, ...change });
  };
  const isInstance = event !== null && event.recurringEventId !== null;
  const isGuested = draft.guests.length > 0 || hasGuests(event?.attendees ?? []);
  return (
    <>
      {isInstance && (
        <Choices
          label={labels.scopeQuestion.change}
          options={SCOPES.map((scope) => [scope, labels.scopes[scope]] as const)}
          value={mailing.scope}
          onChange={(scope) => {
            onMailing({ ...mailing, scope });
          }}
        />
      )}
      <Field label={labels.title} locked={lock('title')}>
        {(control) => (
          <input
            {...control}
            type="text"
            className="calwire-input calwire-input-title"
            data-autofocus={event === null ? '' : undefined}
            value={draft.title}
            maxLength={1_024}
            onChange={(change) => {
              put({ title: change.target.value });
            }}
          />
        )}
      </Field>
      <WhenFields
        draft={draft}
        problems={problems}
        words={words}
        locked={lock('start')}
        allDayLocked={event && allDayLock(event, labels)}
        onChange={onChange}
      />
      <RepeatField
        repeat={draft.repeat}
        custom={opened.repeat.frequency === 'custom' ? opened.repeat.lines : null}
        startDate={draft.startDate}
        problem={problems.repeatEnd && labels.problems[problems.repeatEnd]}
        labels={labels}
        locked={isInstance ? repeatLock(props, lock('title')) : lock('recurrence')}
        onChange={(repeat) => {
          put({ repeat });
        }}
      />
      <Field label={labels.location} locked={lock('location')}>
        {(control) => (
          <input
            {...control}
            type="text"
            className="calwire-input"
            value={draft.location}
            onChange={(change) => {
              put({ location: change.target.value });
            }}
          />
        )}
      </Field>
      <GuestsField
        guests={draft.guests}
        guestText={draft.guestText}
        problem={problems.guests && labels.problems[problems.guests]}
        labels={labels}
        locked={lock('attendees')}
        onChange={put}
      />
      {isGuested && (
        <Field label={labels.sendUpdates}>
          {(control) => (
            <Select
              control={control}
              options={MAILINGS.map((each) => [each, labels.mailing[each]] as const)}
              value={mailing.sendUpdates}
              onChange={(sendUpdates) => {
                onMailing({ ...mailing, sendUpdates });
              }}
            />
          )}
        </Field>
      )}
      <Check
        label={labels.meeting}
        checked={draft.meeting}
        locked={lock('conference')}
        onChange={(meeting) => {
          put({ meeting });
        }}
      />
      <Field label={labels.description} locked={lock('description')}>
        {(control) => (
          <textarea
            {...control}
            className="calwire-input"
            rows={3}
            value={draft.description}
            onChange={(change) => {
              put({ description: change.target.value });
            }}
          />
        )}
      </Field>
      <CalendarField {...props} isInstance={isInstance} />
      <ColourField
        colorId={draft.colorId}
        calendar={calendar}
        labels={labels}
        locked={lock('colorId')}
        onChange={(colorId) => {
          put({ colorId });
        }}
      />
      <RemindersField
        reminders={draft.reminders}
        labels={labels}
        locked={lock('reminders')}
        onChange={(reminders) => {
          put({ reminders });
        }}
      />
      <Field label={labels.transparency} locked={lock('transparency')}>
        {(control) => (
          <Select
            control={control}
            options={TRANSPARENCIES.map((each) => [each, labels.transparencies[each]] as const)}
            value={draft.transparency}
            onChange={(transparency) => {
              put({ transparency });
            }}
          />
        )}
      </Field>
      <Field label={labels.visibility} locked={lock('visibility')}>
        {(control) => (
          <Select
            control={control}
            options={VISIBILITIES.map((each) => [each, labels.visibilities[each]] as const)}
            value={draft.visibility}
            onChange={(visibility) => {
              put({ visibility });
            }}
          />
        )}
      </Field>
    </>
  );
}

/** The recurrence cannot be changed for one instance alone. */
function repeatLock({ mailing, words }: FieldsProps, locked: string | null): string | null {
  return mailing.scope === 'this' ? words.labels.instanceRepeats : locked;
}

function CalendarField(props: FieldsProps & { isInstance: boolean }): ReactElement {
  const { draft, event, problems, words, isInstance, mailing, onChange } = props;
  const { labels } = words;
  const { all, writable } = useWritable();
  const own = all.find(({ id }) => id === event?.calendarId);
  // An event can only be moved between calendars of one account.
  const within = event ? writable.filter(({ connectionId }) => connectionId === own?.connectionId) : writable;
  const options = own && !within.includes(own) ? [own, ...within] : within;
  const stays = isInstance && mailing.scope !== 'all' ? labels.instanceStays : null;
  const locked = event ? (stays ?? lockOf(event, 'title', own, labels)) : null;
  const problem = options.length === 0 ? labels.noWritableCalendar : problems.calendarId && labels.problems.calendar;
  return (
    <Field label={labels.calendar} locked={locked} problem={problem}>
      {(control) => (
        <Select
          control={control}
          options={options.map(({ id, summary }) => [id, summary] as const)}
          value={draft.calendarId}
          onChange={(calendarId) => {
            onChange({ ...draft, calendarId });
          }}
        />
      )}
    </Field>
  );
}
