import { type ReactElement, useId } from 'react';

import type { CalendarInfo } from '../../generated/types.js';
import { colourOf, eventStyle } from '../format/index.js';
import type { Labels } from '../widgets/labels.js';
import { Group } from './field.js';

interface ColourProps {
  colorId: string | null;
  calendar: CalendarInfo | undefined;
  labels: Labels;
  locked: string | null;
  onChange: (colorId: string | null) => void;
}

const COLOURS = [null, '11', '4', '6', '5', '2', '10', '7', '9', '1', '3', '8'];

export function ColourField({ colorId, calendar, labels, locked, onChange }: ColourProps): ReactElement {
  const name = useId();
  return (
    <Group label={labels.colour} className="calwire-colours" locked={locked}>
      {COLOURS.map((id) => {
        const text = id === null ? labels.calendarColour : (labels.colours[id] ?? id);
        return (
          <label key={id} title={text} style={eventStyle(colourOf({ colorId: id }, calendar))}>
            <input
              type="radio"
              name={name}
              checked={colorId === id}
              onChange={() => {
                onChange(id);
              }}
            />
            <span className="calwire-hidden">{text}</span>
          </label>
        );
      })}
    </Group>
  );
}
