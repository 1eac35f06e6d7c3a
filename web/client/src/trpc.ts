export type { AppRouter } from './generated/trpc.js';
