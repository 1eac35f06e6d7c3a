'use client';

export { CalwireError } from './core/error.js';
export type { LiveState } from './core/live-state.js';
export { type ConnectOutcome, takeConnectOutcome } from './core/navigate.js';
export * from './react/hooks/index.js';
export { CalwireProvider, type CalwireProviderProps } from './react/provider.js';
