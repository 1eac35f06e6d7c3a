// `npm test`: the files that leave the stack as it is, two at a time; then those that kill parts of it, which have it to
// themselves. `E2E_TESTS` names other files.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

/** @param {string} folder */
const testsIn = (folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.test.mjs'))
    .map((name) => `${folder}/${name}`);

const chosen = process.env['E2E_TESTS']?.split(/\s+/).filter(Boolean);
const runs = chosen
  ? [{ files: chosen, atOnce: 1 }]
  : [
      { files: testsIn('tests'), atOnce: 2 },
      { files: testsIn('tests/faults'), atOnce: 1 },
    ];

for (const { files, atOnce } of runs) {
  const flags = ['--test', `--test-concurrency=${atOnce}`, '--test-reporter=spec'];
  const { status, error } = spawnSync(process.execPath, [...flags, ...files], { stdio: 'inherit' });
  if (error) throw error;
  // What fails in one does not hide the other.
  if (status !== 0) process.exitCode = 1;
}
