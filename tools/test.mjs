// `npm test`: installs what is missing, then runs the gates with the unit tests and scenarios, then the kernel tests.
// The kernel tests need root; without it they are reported as skipped, with the reason.
import { spawnSync } from 'node:child_process';
import { release } from 'node:os';
import { join } from 'node:path';
import { missingFloor } from '../src/lab/machine-floor.mjs';
import { installPackages, installTools, ROOT, TEST_TOOLS } from './setup.mjs';

const missing = missingFloor({
  platform: process.platform,
  uid: process.getuid?.() ?? -1,
  kernel: release(),
});
installPackages();
if (missing === undefined) installTools(TEST_TOOLS);

const node = join(ROOT, 'node_modules', 'node', 'bin', 'node');
/** @param {string[]} args */
function run(args) {
  const { status } = spawnSync(node, args, { stdio: 'inherit', cwd: ROOT });
  if (status !== 0) process.exit(status ?? 1);
}

run(['tools/check.ts']);
if (missing === undefined) {
  run(['node_modules/vitest/vitest.mjs', 'run', '--project', 'kernel']);
} else {
  console.log(`Skipped: the kernel tests: ${missing}`);
}
