import { Component, type ReactNode } from 'react';

/** A view that could not be shown does not take the page with it. */
export class Mishap extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <div className="card centred" role="alert">
        <h1>This view could not be shown</h1>
        <p>A part of the page could not be loaded, or it broke. The console of the browser says more.</p>
        <button type="button" className="button primary" onClick={() => window.location.reload()}>
          Reload the page
        </button>
      </div>
    );
  }
}
