/**
 * One run of one kernel under qemu: boots, gives every line of the second serial port to a listener, and ends when the
 * guest powers off, breaks, or has had its time. The first serial port, the kernel's console, goes into a log file.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, closeSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { isAtLeast } from '../../test/kernels/features.ts';

export interface MachineSpec {
  readonly image: string;
  readonly initramfs: string;
  /** Gets the console, and what qemu itself says. */
  readonly logFile: string;
  readonly limitMs: number;
  /** Kernel command line beyond what is always there. */
  readonly parameters: readonly string[];
  /** KVM runs the guest on the processor itself; else every instruction is emulated. */
  readonly kvm: boolean;
  /** `major.minor…` of the kernel: what is emulated for it depends on that. */
  readonly version: string;
  /** A guest that has said nothing by then is ended as broken. Default: the whole limit. */
  readonly firstLineMs?: number;
}

export type MachineEnd = 'off' | 'time-limit' | 'broken';

const MEMORY = '2048M';
const ALWAYS = ['console=ttyS0', 'panic=-1', 'loglevel=4', 'oops=panic'];
/**
 * Since kmalloc_nolock, which came with this one, storage of sockets needs a processor with cmpxchg16b, which
 * all real ones have. Before, the guest goes without: qemu 7.2 emulates it in a way that breaks the page allocator of 6.12.
 */
const NEEDS_CX16 = '6.18';
const EMULATED = ['-accel', 'tcg,thread=multi', '-cpu'];
/** Without arch-capabilities: a host that is itself a guest may refuse to set it. */
const NATIVE = ['-accel', 'kvm', '-cpu', 'host,-arch-capabilities'];
/** What qemu says when KVM is there and cannot run this guest. */
const KVM_BROKEN = /KVM internal error|emulation failure|entry failed|Assertion/;

/** Ends the guest in every case before it resolves. */
export async function runMachine(spec: MachineSpec, onLine: (line: string) => void): Promise<MachineEnd> {
  const child = startQemu(spec);
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  let end: MachineEnd = 'broken';
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.once('exit', (code) => {
    if (code === 0 && end === 'broken') end = 'off';
  });
  const timer = setTimeout(() => {
    end = 'time-limit';
    child.kill('SIGKILL');
  }, spec.limitMs);
  const silence = setTimeout(() => child.kill('SIGKILL'), spec.firstLineMs ?? spec.limitMs);
  const chatter: string[] = [];
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    chatter.push(text);
    if (spec.kvm && KVM_BROKEN.test(text)) child.kill('SIGKILL');
  });
  try {
    if (child.stdout === null) throw new Error('No serial port');
    for await (const line of createInterface({ input: child.stdout })) {
      clearTimeout(silence);
      onLine(line);
    }
    await gone;
    appendFileSync(spec.logFile, chatter.join(''));
    return end;
  } finally {
    clearTimeout(timer);
    clearTimeout(silence);
    child.kill('SIGKILL');
    await gone;
    process.off('exit', kill);
  }
}

/** Exported for tests: what qemu runs a kernel of that version on. */
export function processorFor({ kvm, version }: Pick<MachineSpec, 'kvm' | 'version'>): readonly string[] {
  if (kvm) return NATIVE;
  return [...EMULATED, isAtLeast(version, NEEDS_CX16) ? 'max' : 'max,-cx16'];
}

function startQemu(spec: MachineSpec): ChildProcess {
  const { image, initramfs, logFile, parameters } = spec;
  closeSync(openSync(logFile, 'w'));
  return spawn(
    'qemu-system-x86_64',
    [
      ...processorFor(spec),
      ...['-smp', '2', '-m', MEMORY, '-display', 'none', '-no-reboot', '-nic', 'none', '-monitor', 'none'],
      ...['-kernel', image, '-initrd', initramfs, '-append', [...ALWAYS, ...parameters].join(' ')],
      ...['-serial', `file:${logFile}`, '-serial', 'stdio'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
}
