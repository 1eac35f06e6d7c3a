// Another application: React's development build in StrictMode, which mounts everything twice, with Calwire's widgets
// and a hook of the application's own.

import { channelOf } from '@calwire/client';
import { CalwireProvider, useCalwire, useCentrifugo } from '@calwire/client/react';
import { AgendaWidget, MonthView, NextEventWidget, SyncStatus, WeekView } from '@calwire/client/react/widgets';
import '@calwire/client/styles.css';
import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';

const user = new URLSearchParams(window.location.search).get('user');
let mounts = 0;

async function getAuthToken() {
  const answer = await fetch(`/demo/token?user=${user}`);
  return (await answer.json()).token;
}

function Heard() {
  const { live } = useCalwire();
  const [count, setCount] = useState(0);
  useCentrifugo(channelOf(user), () => setCount((before) => before + 1));
  return (
    <p>
      <output aria-label="State">{live}</output> <output aria-label="Heard">{count}</output>
    </p>
  );
}

function Application() {
  const [shown, setShown] = useState(true);
  return (
    <>
      <button onClick={() => setShown(!shown)}>{shown ? 'Hide' : 'Show'}</button>
      {shown && (
        <CalwireProvider
          apiUrl={window.location.origin}
          wsUrl={`${window.location.origin.replace('http', 'ws')}/connection/websocket`}
          getAuthToken={getAuthToken}
          userId={user}
        >
          <Heard />
          <NextEventWidget />
          <AgendaWidget />
          <WeekView />
          <MonthView />
          <SyncStatus />
        </CalwireProvider>
      )}
    </>
  );
}

function CountMounts({ children }) {
  useState(() => {
    mounts += 1;
    document.documentElement.dataset.renders = String(mounts);
  });
  return children;
}

createRoot(document.getElementById('root')).render(
  <StrictMode>
    <CountMounts>
      <Application />
    </CountMounts>
  </StrictMode>,
);
