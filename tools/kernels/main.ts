/**
 * `npm run kernels [-- VERSION…]`: boots real Debian kernels in an emulated machine and runs our datapath in each. Every
 * argument is the beginning of a kernel version, or `newest`. Needs root for apt only when a tool is missing.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type GuestLine, parseLine } from '../../test/kernels/guest/report.ts';
import { encodeCpio, type TreeEntry } from './cpio.ts';
import { fetchKernel, type KernelFiles } from './kernel-files.ts';
import { runMachine } from './machine.ts';
import { openPrivateApt } from './private-apt.ts';
import { buildUserSpace } from './user-space.ts';

const ROOT = join(import.meta.dirname, '../..');
const CACHE = join(ROOT, 'node_modules/.cache/zerohop/kernels');
const say = (line: string) => console.log(line);
const wanted = process.argv.slice(2);
mkdirSync(CACHE, { recursive: true });
const apt = openPrivateApt(join(CACHE, 'apt'), say);
const userSpace = buildUserSpace(ROOT);
for (const version of wanted) {
  const kernel = fetchKernel(apt, version, join(CACHE, 'linux'), say);
  const initramfs = join(CACHE, 'initramfs.cpio');
  writeFileSync(initramfs, Buffer.concat(encodeCpio([...userSpace, ...moduleEntries(kernel)])));
  const began = performance.now();
  const logFile = join(CACHE, `${version}.log`);
  const end = await runMachine(
    { image: kernel.image, initramfs, logFile, limitMs: 400_000, parameters: [], kvm: false },
    (text) => {
      const line: GuestLine | undefined = parseLine(text);
      say(
        `${((performance.now() - began) / 1000).toFixed(1)} ${line?.kind === 'test' ? `${line.ms} ${line.file} ${line.name} ${line.error ?? ''}` : text}`,
      );
    },
  );
  say(
    `${version} ${kernel.version}: ${end} after ${Math.round(performance.now() - began)} ms; log ${logFile}`,
  );
}

function moduleEntries({ modules }: KernelFiles): readonly TreeEntry[] {
  return [
    {
      path: 'modules/order',
      content: new TextEncoder().encode(modules.map(({ name }) => `${name}\n`).join('')),
      executable: false,
    },
    ...modules.map(({ name, content }) => ({ path: `modules/${name}.ko`, content, executable: false })),
  ];
}
