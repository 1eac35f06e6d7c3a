/**
 * Whether changes arrive by themselves.
 * `offline`: the browser has no network, or nobody answers. `failed`: refused for good; only a retry by hand helps.
 */
export type LiveState = 'connecting' | 'live' | 'reconnecting' | 'offline' | 'signedOut' | 'failed';
