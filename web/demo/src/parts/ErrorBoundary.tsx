import { Component, type ReactNode } from 'react';

/** Keeps the page working when a view fails to render. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <div className="card centred" role="alert">
        <h1>This view could not be shown</h1>
        <p>A part of the page failed to load or to render. The browser’s console has details.</p>
        <button type="button" className="button primary" onClick={() => window.location.reload()}>
          Reload the page
        </button>
      </div>
    );
  }
}
