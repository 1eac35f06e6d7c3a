// Measures the JavaScript that each entry adds to a page, in gzipped bytes: minified, without peers and lazily loaded
// chunks. The budget of the widgets is what they add to the hooks. Needs a build.
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { rolldown } from 'rolldown';

const BUDGETS = { react: 17_990, widgets: 24_200 };

const dist = (path) => fileURLToPath(new URL(`../dist/${path}`, import.meta.url));
const HOOKS = dist('react.js');
const WIDGETS = dist('react/widgets/index.js');

const { peerDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const peers = Object.keys(peerDependencies);
const isPeer = (id) => peers.some((peer) => id === peer || id.startsWith(`${peer}/`));
const gzip = (chunk) => gzipSync(chunk.code, { level: 9 }).length;

/** The size of a page that uses everything in these entries, without its lazily loaded chunks. */
async function sizeOf(...entries) {
  const page = {
    name: 'page',
    resolveId: (id) => (id === 'page' ? id : null),
    load: (id) => (id === 'page' ? entries.map((entry) => `export * from ${JSON.stringify(entry)};`).join('\n') : null),
  };
  const bundle = await rolldown({ input: 'page', plugins: [page], platform: 'browser', external: isPeer });
  const { output } = await bundle.generate({ format: 'esm', minify: true });
  const chunks = new Map(output.filter(({ type }) => type === 'chunk').map((chunk) => [chunk.fileName, chunk]));
  const eager = new Set();
  for (const chunk of chunks.values()) if (chunk.isEntry) addWithImports(chunk, chunks, eager);
  for (const chunk of chunks.values()) {
    console.log(`${String(gzip(chunk)).padStart(7)}  ${eager.has(chunk) ? 'eager' : 'lazy '}  ${chunk.fileName}`);
  }
  const calendar = [...eager].find((chunk) => chunk.moduleIds.some((id) => id.includes('fullcalendar')));
  if (calendar) {
    console.error(`FullCalendar must be loaded lazily, but is part of ${calendar.fileName}`);
    process.exit(1);
  }
  return [...eager].reduce((sum, chunk) => sum + gzip(chunk), 0);
}

function addWithImports(chunk, chunks, found) {
  if (!chunk || found.has(chunk)) return;
  found.add(chunk);
  for (const name of chunk.imports) addWithImports(chunks.get(name), chunks, found);
}

console.log('@calwire/client/react');
const react = await sizeOf(HOOKS);
console.log('@calwire/client/react with @calwire/client/react/widgets');
const widgets = (await sizeOf(HOOKS, WIDGETS)) - react;

const sizes = { react, widgets };
for (const [entry, budget] of Object.entries(BUDGETS)) {
  console.log(`${String(sizes[entry]).padStart(7)}  of ${budget} bytes for ${entry}`);
}
if (Object.entries(BUDGETS).some(([entry, budget]) => sizes[entry] > budget)) process.exit(1);
