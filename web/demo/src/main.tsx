import '@calwire/client/styles.css';
import './styles/base.css';
import './styles/page.css';
import './styles/inspector.css';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from './App';
import { takeOutcome } from './address';

const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App outcome={takeOutcome()} />
    </StrictMode>,
  );
}
