// `npm test`: the files that leave the stack alone, two at a time; then, one at a time, the files that kill parts of it.
// `E2E_TESTS` names other files.

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
  // A failure in the first run does not skip the second.
  if (status !== 0) process.exitCode = 1;
}
