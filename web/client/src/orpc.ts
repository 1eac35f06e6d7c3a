export type { AppClient } from './generated/orpc.js';
