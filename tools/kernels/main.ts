/**
 * `npm run kernels [-- VERSION…] [--full | --load] [--only TEXT] [--seed N] [--limit SECONDS] [--verbose]`: boots real
 * Debian kernels in an emulated machine, one after the other, and runs our datapath in each. A version is the beginning of
 * one, as `6.1`, or `newest`. Exit code 0: all passed. 1: one did not. 2: there was nothing to run with.
 */
import { accessSync, constants, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { type GuestLine, parseLine } from '../../test/kernels/guest/report.ts';
import { installTools } from '../setup.mjs';
import { encodeCpio, type TreeEntry } from './cpio.ts';
import { fetchKernel, type KernelFiles } from './kernel-files.ts';
import { type MachineEnd, type MachineSpec, runMachine } from './machine.ts';
import { type Outcome, summarise } from './outcome.ts';
import { openPrivateApt, type PrivateApt } from './private-apt.ts';
import { buildUserSpace } from './user-space.ts';

const ROOT = join(import.meta.dirname, '../..');
const CACHE = join(ROOT, 'node_modules/.cache/zerohop/kernels');
const DEFAULT_KERNELS = ['5.10', '6.1', '6.12', 'newest'];
const LIMIT_SECONDS = 300;
const FULL_LIMIT_SECONDS = 900;
/** A guest that KVM really runs speaks after three seconds; some hosts have a KVM that starts it and gets nowhere. */
const KVM_FIRST_LINE_MS = 15_000;
const TOOLS = [
  ['qemu-system-x86_64', 'qemu-system-x86', 'is the machine that the kernels boot in'],
  ['/bin/busybox', 'busybox-static', 'starts the guest and brings its small programs'],
  ['xz', 'xz-utils', 'unpacks kernel modules'],
  ['ip', 'iproute2', 'makes namespaces and links in the guest'],
  ['nft', 'nftables', 'stands in for kube-proxy in the guest'],
  ['dig', 'bind9-dnsutils', 'asks the questions in the guest'],
  ['tcpdump', 'tcpdump', 'sees the checksums in the guest'],
];

interface Plan {
  readonly kernels: readonly string[];
  /** Whole test files instead of what fits into three minutes. */
  readonly full: boolean;
  /** Nothing but loading programs and asking for features: what a change in bpf/ wants to know first. */
  readonly load: boolean;
  /** Part of the path of the test files to run, or of `programs` and `features`. Empty: everything. */
  readonly only: string;
  /** Of the fuzz; the same one gives the same packets. */
  readonly seed: number;
  readonly limitSeconds: number;
  /** Every line of the guest. */
  readonly verbose: boolean;
}

const say = (line: string) => console.log(line);
// Whoever is told to end ends its machine, too.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(2));
process.exit(await main());

async function main(): Promise<number> {
  const plan = readPlan();
  if (plan === undefined) return 2;
  try {
    installTools(TOOLS);
    mkdirSync(CACHE, { recursive: true });
    const apt = openPrivateApt(join(CACHE, 'apt'), say);
    const userSpace = buildUserSpace(ROOT);
    const outcomes: Outcome[] = [];
    for (const wanted of plan.kernels) {
      const outcome = await runKernel(wanted, plan, { apt, userSpace });
      for (const line of outcome.lines) say(line);
      outcomes.push(outcome);
    }
    return outcomes.every(({ passed }) => passed) ? 0 : 1;
  } catch (error) {
    console.error(errorText(error));
    return 2;
  }
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function readPlan(): Plan | undefined {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        full: { type: 'boolean', default: false },
        load: { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
        only: { type: 'string', default: '' },
        seed: { type: 'string' },
        limit: { type: 'string' },
      },
    });
    const { full, load, verbose } = values;
    return {
      kernels: positionals.length > 0 ? positionals : DEFAULT_KERNELS,
      full,
      load,
      verbose,
      only: readOnly(values.only),
      seed: readNumber('seed', values.seed, Math.floor(Math.random() * 2 ** 31)),
      limitSeconds: readNumber('limit', values.limit, full ? FULL_LIMIT_SECONDS : LIMIT_SECONDS),
    };
  } catch (error) {
    console.error(errorText(error));
    return undefined;
  }
}

/** It becomes a word of the kernel's command line. */
function readOnly(text: string): string {
  if (/^[\w./-]*$/.test(text)) return text;
  throw new Error(`Cannot use --only: it is not a part of a path: received ${text}`);
}

function readNumber(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`Cannot use --${name}: it is not a whole number: received ${text}`);
}

interface Parts {
  readonly apt: PrivateApt;
  readonly userSpace: readonly TreeEntry[];
}

async function runKernel(wanted: string, plan: Plan, { apt, userSpace }: Parts): Promise<Outcome> {
  const kernel = fetchKernel(apt, wanted, join(CACHE, 'linux'), say);
  const initramfs = join(CACHE, `initramfs-${process.pid}.cpio`);
  const logFile = join(CACHE, `${wanted.replaceAll(/[^\w.]/g, '_')}.log`);
  say(`${wanted}: Debian ${kernel.version}, seed ${plan.seed}`);
  const extent = plan.load ? 'load' : plan.full ? 'full' : 'quick';
  const parameters = [
    `zerohop.extent=${extent}`,
    `zerohop.seed=${plan.seed}`,
    ...(plan.only === '' ? [] : [`zerohop.only=${plan.only}`]),
  ];
  const limitMs = plan.limitSeconds * 1000;
  const hear = plan.verbose ? say : () => undefined;
  try {
    writeFileSync(initramfs, Buffer.concat(encodeCpio([...userSpace, ...moduleEntries(kernel)])));
    const outcome = await boot(
      wanted,
      { image: kernel.image, version: kernel.version, initramfs, logFile, limitMs, parameters },
      hear,
    );
    if (outcome.passed) rmSync(logFile, { force: true });
    else say(`${wanted}: console in ${relative(ROOT, logFile)}`);
    return outcome;
  } finally {
    rmSync(initramfs, { force: true });
  }
}

type Hear = (line: string) => void;

/** With KVM where it works; a host that is itself a guest may offer one that does not. */
async function boot(wanted: string, spec: Omit<MachineSpec, 'kvm'>, hear: Hear): Promise<Outcome> {
  if (mayUseKvm()) {
    const native = await bootOnce({ ...spec, kvm: true, firstLineMs: KVM_FIRST_LINE_MS }, hear);
    if (native.lines.length > 0) return summarise(wanted, native.lines, native.end);
    say(`${wanted}: KVM of this machine does not run it: emulating`);
  }
  const { lines, end } = await bootOnce({ ...spec, kvm: false }, hear);
  return summarise(wanted, lines, end);
}

async function bootOnce(
  spec: MachineSpec,
  hear: Hear,
): Promise<{ lines: readonly GuestLine[]; end: MachineEnd }> {
  const lines: GuestLine[] = [];
  const end = await runMachine(spec, (text) => {
    const line = parseLine(text);
    if (line !== undefined) lines.push(line);
    hear(text);
  });
  return { lines, end };
}

function mayUseKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function moduleEntries({ modules }: KernelFiles): readonly TreeEntry[] {
  const order = modules.map(({ name }) => `${name}\n`).join('');
  return [
    { path: 'modules/order', content: new TextEncoder().encode(order), executable: false },
    ...modules.map(({ name, content }) => ({ path: `modules/${name}.ko`, content, executable: false })),
  ];
}
