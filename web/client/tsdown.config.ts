import { defineConfig } from 'tsdown';

export default defineConfig({
  entry: ['src/index.ts', 'src/trpc.ts', 'src/orpc.ts', 'src/react.ts'],
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  dts: true,
  sourcemap: true,
  // The stylesheet stays a file of its own; its package.json keeps bundlers from dropping it as unused.
  copy: [{ from: 'src/css', to: 'dist' }],
});
