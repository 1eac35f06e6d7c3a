// Assembles `src/css` into one stylesheet, `dist/css/styles.css`, so that users import one file. Run by `npm run build`.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const source = new URL('../src/css/', import.meta.url);
const target = new URL('../dist/css/', import.meta.url);

const index = readFileSync(new URL('index.css', source), 'utf8');
// Imports of other packages stay: the application's bundler resolves them.
const assembled = index.replace(/^@import '\.\/([\w-]+\.css)';$/gm, (_, name) =>
  readFileSync(new URL(name, source), 'utf8').trimEnd(),
);

mkdirSync(target, { recursive: true });
writeFileSync(new URL('styles.css', target), assembled);
// Marks the stylesheet as a side effect, so that bundlers do not drop its import.
copyFileSync(new URL('package.json', source), new URL('package.json', target));
