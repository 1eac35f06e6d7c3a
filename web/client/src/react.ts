'use client';

export { CalwireError } from './core/error.js';
export type { LiveState } from './core/live-state.js';
export * from './react/hooks/index.js';
export { CalwireProvider, type CalwireProviderProps } from './react/provider.js';
