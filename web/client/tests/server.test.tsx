// @vitest-environment node
import { renderToString } from 'react-dom/server';
import { expect, it, vi } from 'vitest';

import { CalwireProvider, useCalwire, useEvents, useUpcomingEvents } from '../src/react.js';
import { API_URL, tokenOf, WS_URL } from './fake-stack.js';

function Page(): string {
  const { events, isLoading, live } = useUpcomingEvents();
  const far = useEvents({ from: '2027-11-22', to: '2027-11-29' });
  return `${useCalwire().userId} ${live} ${isLoading} ${events.length} ${far.events.length}`;
}

it('renders the loading state on a server, without requests', () => {
  const fetch = vi.fn();
  vi.stubGlobal('fetch', fetch);
  expect(typeof document).toBe('undefined');
  const page = renderToString(
    <CalwireProvider apiUrl={API_URL} wsUrl={WS_URL} userId="alice" getAuthToken={() => tokenOf('alice')}>
      <Page />
    </CalwireProvider>,
  );
  expect(page).toBe('alice connecting true 0 0');
  expect(fetch).not.toHaveBeenCalled();
});
