import { fireEvent, render, screen } from '@testing-library/react';
import { beforeEach, expect, it } from 'vitest';

import type { CalendarEvent } from '../src/index.js';
import FormDialog from '../src/react/editor/form-dialog.js';
import { useWords } from '../src/react/widgets/base.js';
import { anEvent } from './model-server.js';
import { fakeStackPerTest, pass, provided } from './rendering.js';

const fake = fakeStackPerTest();
const GET = 'calendar.google.getEvent';

// jsdom has no modal dialogs.
beforeEach(() => {
  Object.assign(HTMLDialogElement.prototype, {
    showModal(this: HTMLDialogElement) {
      this.open = true;
    },
    close(this: HTMLDialogElement) {
      this.open = false;
    },
  });
});

function Form({ event }: { event: CalendarEvent }) {
  const words = useWords({ locale: 'en', timeZone: 'UTC', labels: undefined, headingLevel: 2 });
  return <FormDialog target={{ event }} words={words} onClose={() => undefined} />;
}

const field = (name: string) => screen.getByLabelText<HTMLInputElement | HTMLTextAreaElement>(name);

it('offers to load a cut text again', async () => {
  const whole = anEvent({ id: 'a', description: 'The whole text', canEdit: ['title', 'description'] });
  fake.stack.user('alice').write('work', 'a', [whole]);
  fake.stack.failing.set(GET, 'FORBIDDEN');
  render(provided(<Form event={{ ...whole, description: 'The', cutFields: ['description'] }} />));
  await pass();
  expect(field('Description').value).toBe('The');
  expect(field('Description').readOnly || field('Description').disabled).toBe(true);
  expect(screen.getByRole('alert').textContent).toContain('The whole text could not be loaded.');
  expect(field('Title').readOnly || field('Title').disabled).toBe(false);

  fake.stack.failing.delete(GET);
  fireEvent.click(screen.getByText('Try again'));
  await pass();
  expect(field('Description').value).toBe('The whole text');
  expect(field('Description').readOnly || field('Description').disabled).toBe(false);
  expect(screen.queryByRole('alert')).toBeNull();
});
