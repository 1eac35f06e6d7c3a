import type { CalendarActivity, CalendarInfo } from '@calwire/client';
import { useCalendars, useNow, useSyncActivity } from '@calwire/client/react';
import { useState } from 'react';

import { CalendarCard } from '../inspector/CalendarCard';
import { Legend } from '../inspector/Legend';
import { SyncButton } from '../inspector/SyncButton';
import { ThisTab } from '../inspector/ThisTab';
import { useSyncNow } from '../inspector/use-sync-now';
import { GoogleLink } from '../parts/GoogleLink';
import type { ViewProps } from './view-props';

/** The recent pulls from Google with their causes and durations, and the messages that this tab received. */
export default function Inspector({ session, messages }: ViewProps) {
  const activity = useSyncActivity();
  const { calendars: infos } = useCalendars();
  const now = useNow(1000);
  const [chosen, setChosen] = useState('');
  const all = useSyncNow(activity.calendars, () => activity.refetch(), true);
  const byId = new Map(infos.map((info) => [info.id, info]));
  const nameOf = (id: string) => byId.get(id)?.summary ?? 'A calendar';
  const nothing = !activity.isLoading && activity.error === null && activity.calendars.length === 0;
  const known = activity.calendars.some(({ calendarId }) => calendarId === chosen);
  const shown = inOrder(activity.calendars, infos).filter(({ calendarId }) => !known || calendarId === chosen);

  return (
    <>
      <div className="heading">
        <div>
          <h1>Sync inspector</h1>
          <p className="lead">Each pull from Google: its cause, the duration of each part, and its result.</p>
        </div>
        <GoogleLink session={session} />
      </div>
      <div className="inspector">
        <div className="column">
          <div className="tools">
            <Filter
              calendars={inOrder(activity.calendars, infos)}
              byId={byId}
              value={known ? chosen : ''}
              onChange={setChosen}
            />
            {activity.calendars.length > 0 && (
              <SyncButton
                phase={all.phase}
                onClick={() => void all.start()}
                label="Sync all"
                of="calendars now"
                primary
              />
            )}
          </div>
          {activity.error && (
            <p className="notice" role="alert">
              {activity.error.message}
            </p>
          )}
          {activity.isLoading && <p className="waiting">Loading…</p>}
          {nothing && <Nothing />}
          {shown.map((each) => (
            <CalendarCard
              key={each.calendarId}
              activity={each}
              calendar={byId.get(each.calendarId)}
              received={messages.received}
              refetch={() => activity.refetch()}
              now={now}
            />
          ))}
        </div>
        <div className="column side">
          <ThisTab messages={messages} nameOf={nameOf} now={now} />
          <section className="card" aria-label="Legend">
            <h2>How to read it</h2>
            <Legend />
          </section>
        </div>
      </div>
    </>
  );
}

/** In the order of `listCalendars`: the primary one first. */
function inOrder(calendars: CalendarActivity[], infos: CalendarInfo[]): CalendarActivity[] {
  const rank = new Map(infos.map(({ id }, index) => [id, index]));
  const rankOf = ({ calendarId }: CalendarActivity) => rank.get(calendarId) ?? infos.length;
  return [...calendars].sort((a, b) => rankOf(a) - rankOf(b));
}

interface FilterProps {
  calendars: CalendarActivity[];
  byId: Map<string, CalendarInfo>;
  value: string;
  onChange: (calendarId: string) => void;
}

function Filter({ calendars, byId, value, onChange }: FilterProps) {
  if (calendars.length < 2) return null;
  return (
    <label className="filter">
      <span>Show</span>
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="">All calendars</option>
        {calendars.map(({ calendarId }) => (
          <option key={calendarId} value={calendarId}>
            {byId.get(calendarId)?.summary ?? 'Calendar'}
          </option>
        ))}
      </select>
    </label>
  );
}

function Nothing() {
  return (
    <div className="card centred">
      <h2>Nothing is synced yet</h2>
      <p>Connect a Google account in the overview, and choose at least one calendar there.</p>
    </div>
  );
}
