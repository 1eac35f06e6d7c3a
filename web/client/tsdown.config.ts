import { defineConfig } from 'tsdown';

export default defineConfig({
  entry: ['src/index.ts', 'src/trpc.ts', 'src/orpc.ts', 'src/react.ts', 'src/react/widgets/index.ts'],
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  dts: true,
  sourcemap: true,
});
