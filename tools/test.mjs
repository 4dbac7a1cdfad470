// `npm test`: installs what is missing, then runs the gates with the unit tests and scenarios, then the kernel tests.
// The kernel tests need root; without it they are reported as skipped, with the reason. As root on a new enough kernel
// nothing may be skipped: a test that did not run has shown nothing.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingFloor } from '../src/lab/machine-floor.mjs';
import { installPackages, installTools, ROOT, TEST_TOOLS } from './setup.mjs';

const VITEST = 'node_modules/vitest/vitest.mjs';
const missing = missingFloor({
  platform: process.platform,
  uid: process.getuid?.() ?? -1,
  kernel: release(),
});
installPackages();
if (missing === undefined) installTools(TEST_TOOLS);
const results = mkdtempSync(join(tmpdir(), 'zerohop-test-'));
process.exitCode = runAll();
rmSync(results, { recursive: true, force: true });

function runAll() {
  const unit = join(results, 'unit.json');
  const gates = run(['tools/check.ts'], { ZEROHOP_UNIT_RESULTS: unit });
  if (missing !== undefined) {
    console.log(`Skipped: the kernel tests: ${missing}`);
    return report([unit], gates);
  }
  const kernel = join(results, 'kernel.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${kernel}`];
  const status = run([VITEST, 'run', '--project', 'kernel', ...reporters], {});
  return report([unit, kernel], gates || status);
}

/**
 * @param {string[]} args
 * @param {Record<string, string>} environment
 * @returns {number} exit code
 */
function run(args, environment) {
  const node = join(ROOT, 'node_modules', 'node', 'bin', 'node');
  const env = { ...process.env, ...environment };
  return spawnSync(node, args, { stdio: 'inherit', cwd: ROOT, env }).status ?? 1;
}

/**
 * The closing line, and the exit code it stands for.
 * @param {string[]} files
 * @param {number} status
 */
function report(files, status) {
  const counts = files.map((file) => JSON.parse(readFileSync(file, 'utf8')));
  /** @param {string} field */
  const sum = (field) => counts.reduce((total, count) => total + count[field], 0);
  const skipped = sum('numPendingTests') + sum('numTodoTests');
  console.log(`\n${sum('numPassedTests')} passed, ${sum('numFailedTests')} failed, ${skipped} skipped`);
  if (missing === undefined && skipped > 0) {
    console.error(`Cannot call this passed: ${skipped} tests were skipped on a machine that can run them`);
    return 1;
  }
  return status;
}
