/**
 * The program of a guest: everything the matrix proves about a kernel. Every stage runs, whatever the ones before it
 * found. The kernel's command line chooses: `zerohop.extent=` `load`, `quick` or `full`, `zerohop.seed=N` for the fuzz,
 * `zerohop.only=` a part of the path of a test file or of the words `programs` and `features`.
 */
import { globSync, openSync, readFileSync, writeSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { isAtLeast, OLDEST_KERNEL } from '../features.ts';
import { askFeatures } from './ask-features.ts';
import { loadObjects } from './load-objects.ts';
import type { GuestLine } from './report.ts';
import { runFile } from './tiny-runner.ts';

const ROOT = join(import.meta.dirname, '../../..');
const EVERYTHING = /^/;
/** What fits into three minutes of emulation: each thing a kernel can get wrong at least once. */
const QUICK: Readonly<Record<string, RegExp>> = {
  'src/datapath/kernel/pod-programs.kernel.test.ts': EVERYTHING,
  'src/datapath/kernel/pod-health.kernel.test.ts': EVERYTHING,
  'src/datapath/kernel/pod-fragments.kernel.test.ts': EVERYTHING,
  'src/datapath/kernel/pod-answers.kernel.test.ts':
    /^a query over IPv6|^a reply goes|^a wrong checksum|^each answer/,
  'src/datapath/kernel/pod-answer-misses.kernel.test.ts': /^over IPv4|^who is not answered/,
  'src/datapath/kernel/pod-answer-slots.kernel.test.ts': /^over IPv4|^a slot|^the log has/,
  'src/datapath/kernel/pod-answer-turns.kernel.test.ts': /^over IPv[46] A+ of [45] addresses/,
  'src/datapath/kernel/pod-answers.property.kernel.test.ts': /^a packet with a damaged header/,
  'src/datapath/datapath.kernel.test.ts': /ids survive|each pod has a row|after remove/,
  'src/datapath/redirect.kernel.test.ts':
    /^a query goes to|^the query after the death|^an IPv6 query|on the host network|remove leaves/,
  'src/datapath/drops/drops.kernel.test.ts':
    /^a rule of the node|^a pod's own rule|^nobody listens|^a server that stands/,
  'src/datapath/health.kernel.test.ts': /^a process that beats|^a probe that failed/,
  'src/datapath/socket/socket-path.kernel.test.ts': /^a host process asks|^the cookie/,
};

/** What needs a kernel that is newer than the oldest, which else does without, as `features` shows. */
const NEWER: Readonly<Record<string, string>> = { 'src/datapath/drops/drops.kernel.test.ts': '5.17' };

/** Not asked: it wants 33 000 packets to pass within two windows, and an emulated machine takes longer. */
const TIMED = /goes its ordinary way beyond its share/;

const began = performance.now();
const port = openSync('/dev/ttyS1', 'w');
const tell = (line: GuestLine) => {
  writeSync(port, `${JSON.stringify(line)}\n`);
};
const commandLine = readFileSync('/proc/cmdline', 'utf8');
const extent = /zerohop\.extent=(\w+)/.exec(commandLine)?.[1] ?? 'quick';
const only = /zerohop\.only=(\S+)/.exec(commandLine)?.[1] ?? '';
const isChosen = (stage: string) => stage.includes(only);
const full = extent === 'full';
fc.configureGlobal({ seed: Number(/zerohop\.seed=(\d+)/.exec(commandLine)?.[1] ?? 1) });

tell({ kind: 'kernel', release: release() });
if (isChosen('programs')) await loadObjects(tell);
if (isChosen('features')) await askFeatures(tell);
const present = globSync('src/{datapath,sys}/**/*.kernel.test.ts', { cwd: ROOT }).sort();
const files = full
  ? present
  : Object.keys(QUICK).filter((file) => present.includes(file) && extent !== 'load');
const isKnown = (file: string) => isAtLeast(release(), NEWER[file] ?? OLDEST_KERNEL);
for (const file of files.filter((each) => isChosen(each) && isKnown(each))) {
  const names = full ? EVERYTHING : (QUICK[file] ?? EVERYTHING);
  const isWanted = (name: string) => names.test(name) && !TIMED.test(name);
  await runFile(pathToFileURL(join(ROOT, file)).href, isWanted, ({ name, ms, error }) =>
    tell({ kind: 'test', file, name, ms, ...(error === undefined ? {} : { error }) }),
  );
}
tell({ kind: 'end', ms: Math.round(performance.now() - began) });
process.exit(0);
