import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import react from '@vitejs/plugin-react';
import { defineConfig, type ProxyOptions } from 'vite';

const of = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** What a browser asks the page's origin for, besides the page. */
const SERVED_BY_UP = ['/demo', '/trpc', '/oauth', '/connection'];

/**
 * `npm run dev` shows the page while `cargo xtask up` runs beside it and answers everything else. The services accept
 * browsers from the address of `up` only, so requests go there as if the page came from it.
 */
function proxyToUp(): Record<string, ProxyOptions> {
  const state = process.env['CALWIRE_STATE_DIR'] ?? of('../../target/calwire');
  let target = 'http://localhost:8088';
  try {
    target = (JSON.parse(readFileSync(`${state}/stack.json`, 'utf8')) as { webUrl: string }).webUrl;
  } catch {
    // Nothing was started here yet: its default address then.
  }
  const options = { target, changeOrigin: true, ws: true, headers: { origin: target } };
  return Object.fromEntries(SERVED_BY_UP.map((path) => [path, options]));
}

export default defineConfig(({ command }) => ({
  plugins: [react()],
  resolve: {
    // The sources, so that the page needs no build of the package before its own.
    alias: [
      { find: /^@calwire\/client$/, replacement: of('../client/src/index.ts') },
      { find: /^@calwire\/client\/react$/, replacement: of('../client/src/react.ts') },
      { find: /^@calwire\/client\/styles\.css$/, replacement: of('../client/src/css/styles.css') },
    ],
  },
  server: command === 'serve' ? { proxy: proxyToUp() } : {},
  // Files of their own rather than data: URLs, which the page's content security policy does not allow.
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false } },
}));
