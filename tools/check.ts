/**
 * `npm run check`: everything that can be said about the tree without root and without a network, in under a minute.
 * One line per gate; a failed gate tells its findings below its line and does not stop the next. With `--fix` the
 * formatter and the generated documents are put right first.
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { errorText } from '../src/fault/app-error.ts';
import { treeGates } from './gates/all.ts';
import { writeErrorDocument } from './gates/errors.ts';
import { formatFinding, loadTree } from './gates/source-file.ts';

/** Nothing to say is success. */
type Step = () => string | Promise<string>;

const root = join(import.meta.dirname, '..');
const BIOME = join(root, 'node_modules', '@biomejs', `cli-linux-${process.arch}`, 'biome');
const TSC = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
/** Many tests wait for timers and sockets; by default a processor would be left idle for that. */
const WORKERS = `--maxWorkers=${availableParallelism()}`;
const VITEST = join(root, 'node_modules', 'vitest', 'vitest.mjs');

async function main(args: readonly string[]): Promise<number> {
  const fix = args.includes('--fix');
  let failed = 0;
  const step = async (name: string, run: Step) => {
    const started = performance.now();
    const output = await attempt(run);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${output === '' ? 'ok  ' : 'FAIL'} ${name.padEnd(16)} ${seconds.padStart(5)} s`);
    if (output === '') return;
    failed++;
    console.log(`${output.trimEnd().replace(/^/gm, '     ')}\n`);
  };
  await step('format, lint', () =>
    runProgram(BIOME, [
      'check',
      ...(fix ? ['--write'] : []),
      '--error-on-warnings',
      '--colors=off',
      '--max-diagnostics=50',
    ]),
  );
  await step('types', () => runProgram(process.execPath, [TSC]));
  // A browser has other globals than Node, and neither may use the other's.
  await step('types of the page', () => runProgram(process.execPath, [TSC, '-p', 'src/ui/page']));
  if (fix) await step('docs/errors.md', writeDocuments);
  await checkTree(step);
  await step('tests', () =>
    runProgram(process.execPath, [
      VITEST,
      'run',
      '--project',
      'unit',
      WORKERS,
      '--reporter=dot',
      ...resultFile(),
    ]),
  );
  console.log(failed === 0 ? 'all good' : `${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** `npm test` counts what ran, and names the file it wants the counts in. */
function resultFile(): readonly string[] {
  const file = process.env.ZEROHOP_UNIT_RESULTS;
  return file === undefined ? [] : ['--reporter=json', `--outputFile.json=${file}`];
}

/** A document that had to be written anew is no failure. */
async function writeDocuments(): Promise<string> {
  await writeErrorDocument(root);
  return '';
}

/** An errors.ts that does not load fails the gates as a whole, which no single gate could say. */
async function checkTree(step: (name: string, run: Step) => Promise<void>): Promise<void> {
  try {
    const gates = await treeGates(root);
    const files = loadTree(root);
    for (const { name, run } of gates) await step(name, () => run(files).map(formatFinding).join('\n'));
  } catch (error) {
    await step('gates', () => Promise.reject(error));
  }
}

async function attempt(run: Step): Promise<string> {
  try {
    return await run();
  } catch (error) {
    return errorText(error);
  }
}

/** What the program said if it failed; nothing if it did not. */
function runProgram(file: string, args: readonly string[]): string {
  const result = spawnSync(file, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined },
  });
  return result.status === 0 ? '' : whatItSaid(file, result);
}

function whatItSaid(
  file: string,
  { error, stdout, stderr, status, signal }: SpawnSyncReturns<string>,
): string {
  if (error !== undefined) return `Cannot run ${file}: ${error.message}. Run: npm ci`;
  const said = `${stdout}${stderr}`.trim();
  return said === '' ? `ended with ${signal ?? `status ${status}`}` : said;
}

process.exitCode = await main(process.argv.slice(2));
