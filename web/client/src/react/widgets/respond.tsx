import { type ReactElement, useId } from 'react';

import type { CalendarEvent } from '../../index.js';
import type { Editing } from './editing.js';
import type { Labels } from './labels.js';

interface RespondProps {
  event: CalendarEvent;
  editing: Editing;
  labels: Labels;
}

const ANSWERS = ['accepted', 'tentative', 'declined'] as const;

/** The user's response, and the count of all responses. */
export function Respond({ event, editing, labels }: RespondProps): ReactElement | null {
  const id = useId();
  if (!event.canEdit.includes('responseStatus')) return null;
  const own = event.attendees.find(({ self }) => self)?.responseStatus;
  const people = event.attendees.filter(({ resource }) => resource !== true);
  const count = (status: string) => people.filter(({ responseStatus }) => responseStatus === status).length;
  return (
    <div className="calwire-respond" role="group" aria-labelledby={id}>
      <span id={id}>{labels.going}</span>
      {ANSWERS.map((answer) => (
        <button
          key={answer}
          type="button"
          className="calwire-button"
          aria-pressed={own === answer}
          onClick={() => {
            if (own !== answer) editing.respond(event, answer);
          }}
        >
          {labels.respond[answer]}
        </button>
      ))}
      <span className="calwire-quiet">
        {labels.responseCount(count('accepted'), count('tentative'), count('declined'))}
      </span>
    </div>
  );
}
