import '@calwire/client/styles.css';
import './styles/base.css';
import './styles/sign-in.css';
import './styles/header.css';
import './styles/views.css';
import './styles/overlays.css';
import './styles/narrow.css';
import './styles/inspector.css';

import { takeConnectOutcome } from '@calwire/client/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from './App';

const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App outcome={takeConnectOutcome()} />
    </StrictMode>,
  );
}
