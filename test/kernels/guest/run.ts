/**
 * The program of a guest: everything the matrix proves about a kernel, in this order. Every stage runs, whatever the ones
 * before it found.
 */
import { openSync, writeSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { GuestLine } from './report.ts';
import { runFile } from './tiny-runner.ts';

const began = performance.now();
const port = openSync('/dev/ttyS1', 'w');
const tell = (line: GuestLine) => {
  writeSync(port, `${JSON.stringify(line)}\n`);
};

const ROOT = join(import.meta.dirname, '../../..');
const FILES = [
  'src/datapath/datapath.kernel.test.ts',
  'src/datapath/kernel/pod-programs.kernel.test.ts',
  'src/datapath/open-datapath.kernel.test.ts',
  'src/datapath/kernel/locate.kernel.test.ts',
  'src/datapath/redirect.kernel.test.ts',
];

tell({ kind: 'kernel', release: release() });
for (const file of FILES) {
  await runFile(pathToFileURL(join(ROOT, file)).href, ({ name, ms, error }) =>
    tell({ kind: 'test', file, name, ms, ...(error === undefined ? {} : { error }) }),
  );
}
tell({ kind: 'end', ms: Math.round(performance.now() - began) });
