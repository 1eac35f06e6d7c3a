// What `@calwire/client/react` adds to a page, in gzipped bytes: minified, without its peers, and without the chunk of
// FullCalendar, which is loaded when a week or a month is shown. Needs a build.
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { rolldown } from 'rolldown';

const LIMIT = 40 * 1024;

const entry = fileURLToPath(new URL('../dist/react.js', import.meta.url));
const { peerDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const peers = Object.keys(peerDependencies);
const isPeer = (id) => peers.some((peer) => id === peer || id.startsWith(`${peer}/`));

const bundle = await rolldown({ input: entry, platform: 'browser', external: isPeer });
const { output } = await bundle.generate({ format: 'esm', minify: true });

const chunks = new Map(output.filter(({ type }) => type === 'chunk').map((chunk) => [chunk.fileName, chunk]));
const first = output.find(({ isEntry }) => isEntry);
const gzip = (chunk) => gzipSync(chunk.code, { level: 9 }).length;

/** The entry and what it imports statically: what has to be there before anything is shown. */
function needed(chunk, found = new Set()) {
  if (!chunk || found.has(chunk)) return found;
  found.add(chunk);
  for (const name of chunk.imports) needed(chunks.get(name), found);
  return found;
}

const eager = needed(first);
for (const chunk of chunks.values()) {
  console.log(`${String(gzip(chunk)).padStart(7)}  ${eager.has(chunk) ? 'at once' : 'lazily '}  ${chunk.fileName}`);
}
const calendar = [...eager].find((chunk) => chunk.moduleIds.some((id) => id.includes('fullcalendar')));
if (calendar) {
  console.error(`FullCalendar is part of ${calendar.fileName}, which is loaded at once`);
  process.exit(1);
}
const total = [...eager].reduce((sum, chunk) => sum + gzip(chunk), 0);
console.log(`${String(total).padStart(7)}  at once, of ${LIMIT} allowed`);
if (total > LIMIT) process.exit(1);
