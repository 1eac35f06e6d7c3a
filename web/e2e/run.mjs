// `npm test`: the files that leave the stack alone, two at a time; then, one at a time, the files that kill parts of it.
// `npm test -- tests` and `npm test -- tests/faults` run one of these folders. `E2E_TESTS` names the files to run.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

/** @param {string} folder */
const testsIn = (folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.test.mjs'))
    .map((name) => `${folder}/${name}`);

const FOLDERS = [
  { folder: 'tests', atOnce: 2 },
  { folder: 'tests/faults', atOnce: 1 },
];

const asked = process.argv.slice(2);
const chosen = process.env['E2E_TESTS']?.split(/\s+/).filter(Boolean);
const runs = FOLDERS.filter(({ folder }) => asked.length === 0 || asked.includes(folder)).map(({ folder, atOnce }) => ({
  files: testsIn(folder).filter((file) => !chosen || chosen.includes(file)),
  atOnce,
}));
if (runs.length < asked.length) throw new Error(`there is no such folder: ${asked.join(', ')}`);

for (const { files, atOnce } of runs.filter(({ files }) => files.length > 0)) {
  const flags = ['--test', `--test-concurrency=${atOnce}`, '--test-reporter=spec'];
  const { status, error } = spawnSync(process.execPath, [...flags, ...files], { stdio: 'inherit' });
  if (error) throw error;
  // A failure in the first run does not skip the second.
  if (status !== 0) process.exitCode = 1;
}
