export * from './colour.js';
export * from './dates.js';
export * from './entry.js';
export * from './slot.js';
export * from './text.js';
export * from './url.js';
export * from './when.js';
