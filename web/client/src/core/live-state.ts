/**
 * Whether changes arrive by themselves.
 * `offline`: no network, or the server does not respond. `failed`: rejected for good, until `retry` is called.
 */
export type LiveState = 'connecting' | 'live' | 'reconnecting' | 'offline' | 'signedOut' | 'failed';
