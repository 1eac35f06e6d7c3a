// A page other than the demo on the same origin. The browser serves it to itself; it is not shipped.

import { fileURLToPath } from 'node:url';

/** @param {string} path */
const of = (path) => fileURLToPath(new URL(path, import.meta.url));

const HTML = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Widgets</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/widgets/widgets.css">
<div id="root"></div><script type="module" src="/widgets/widgets.js"></script></html>`;

/** @type {Promise<Map<string, string | Uint8Array>> | undefined} */
let built;

/** With React's development build, in which StrictMode has an effect. */
async function build() {
  // React reads it while it is bundled.
  process.env['NODE_ENV'] = 'development';
  const vite = await import('vite');
  const result = await vite.build({
    configFile: false,
    root: of('../pages'),
    logLevel: 'error',
    mode: 'development',
    resolve: {
      alias: [
        { find: /^@calwire\/client$/, replacement: of('../../client/src/index.ts') },
        { find: /^@calwire\/client\/react$/, replacement: of('../../client/src/react.ts') },
        { find: /^@calwire\/client\/react\/widgets$/, replacement: of('../../client/src/react/widgets/index.ts') },
        { find: /^@calwire\/client\/styles\.css$/, replacement: of('../../client/src/css/index.css') },
      ],
    },
    build: {
      write: false,
      minify: false,
      rolldownOptions: {
        input: of('../pages/widgets.jsx'),
        output: { entryFileNames: 'widgets.js', chunkFileNames: '[name].js', assetFileNames: '[name][extname]' },
      },
    },
    base: '/widgets/',
  });
  const files = new Map();
  for (const { output } of /** @type {any[]} */ ([result].flat())) {
    for (const file of output) files.set(file.fileName, 'code' in file ? file.code : file.source);
  }
  return files;
}

const TYPES = { js: 'text/javascript', css: 'text/css' };

/**
 * For `before` of `openPage`: serves the page at `/widgets/`.
 *
 * @param {import('playwright-core').BrowserContext} context
 */
export async function widgetsPage(context) {
  const files = await (built ??= build());
  // To the browser the page has no network origin, and such a page may not open sockets to its own machine.
  await context.grantPermissions(['local-network-access']);
  await context.route('**/widgets/**', async (route) => {
    const name = new URL(route.request().url()).pathname.slice('/widgets/'.length);
    if (name === '') return route.fulfill({ contentType: 'text/html', body: HTML });
    const file = files.get(name);
    if (file === undefined) return route.fulfill({ status: 404, body: '' });
    const contentType = TYPES[/** @type {keyof typeof TYPES} */ (name.split('.').pop())];
    return route.fulfill({ contentType, body: typeof file === 'string' ? file : Buffer.from(file) });
  });
}
