import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import react from '@vitejs/plugin-react';
import { defineConfig, type ProxyOptions } from 'vite';

const of = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The paths that the page requests from its origin. */
const SERVED_BY_UP = ['/demo', '/trpc', '/oauth', '/connection'];

/**
 * `npm run dev` serves the page, and proxies other requests to a running `cargo xtask up`. The services accept only the
 * origin of `up`, so the proxy sets it.
 */
function proxyToUp(): Record<string, ProxyOptions> {
  const state = process.env['CALWIRE_STATE_DIR'] ?? of('../../target/calwire');
  let target = 'http://localhost:8088';
  try {
    target = (JSON.parse(readFileSync(`${state}/stack.json`, 'utf8')) as { webUrl: string }).webUrl;
  } catch {
    // `up` has not been started here: use its default address.
  }
  const options = { target, changeOrigin: true, ws: true, headers: { origin: target } };
  return Object.fromEntries(SERVED_BY_UP.map((path) => [path, options]));
}

export default defineConfig(({ command }) => ({
  plugins: [react()],
  resolve: {
    // The sources, so that the package does not have to be built first.
    alias: [
      { find: /^@calwire\/client$/, replacement: of('../client/src/index.ts') },
      { find: /^@calwire\/client\/react$/, replacement: of('../client/src/react.ts') },
      { find: /^@calwire\/client\/react\/widgets$/, replacement: of('../client/src/react/widgets/index.ts') },
      { find: /^@calwire\/client\/styles\.css$/, replacement: of('../client/src/css/index.css') },
    ],
  },
  server: command === 'serve' ? { proxy: proxyToUp() } : {},
  // No data: URLs, because the page's content security policy forbids them.
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false } },
}));
