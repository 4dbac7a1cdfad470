/** CoreDNS's own flags (dns-server 1.8), which `node-cache` has as well. */
import { AppError } from '../../fault/app-error.ts';
import { RECEIVE_BUFFER_BYTES } from '../../server/udp.ts';
import { versionLines } from '../banner.ts';
import type { UdpSettings } from '../hot/hot-answers.ts';
import { describeFlags, type FlagTable, type ParsedFlags } from './go-flags.ts';

export const DNS_FLAGS: FlagTable = {
  conf: { kind: 'string', default: '', help: 'Corefile to load; "stdin" reads a pipe' },
  'dns.port': { kind: 'int', default: '53', help: 'port of server blocks that name none' },
  p: { kind: 'int', default: '53', help: 'the same as -dns.port' },
  'packet-threads': { kind: 'int', default: '1', help: 'threads that read UDP; 0: the main thread does' },
  'udp-buffer': {
    kind: 'int',
    default: String(RECEIVE_BUFFER_BYTES),
    help: 'receive buffer of a UDP socket, bytes',
  },
  'cache-memory': { kind: 'int', default: '64', help: 'MiB that the answers of all caches may take' },
  'admin-socket': {
    kind: 'string',
    default: 'auto',
    help: 'socket for zerohop cache and log; auto: by process id in $ZEROHOP_RUN_DIR or /run/zerohop; empty: none',
  },
  takeover: {
    kind: 'string',
    default: '',
    help: 'take sockets and caches over from a running server: auto, its process id, or its admin socket',
  },
  heartbeat: {
    kind: 'string',
    default: '',
    help: "socket of the node's agent, to be watched by it; default: $ZEROHOP_HEARTBEAT, or where one is; off: none",
  },
  'kernel-answers': {
    kind: 'string',
    default: 'on',
    help: "on: the kernel may give cached answers by itself, where the node's agent offers it; off: it may not",
  },
  pidfile: { kind: 'string', default: '', help: 'file to write the process id to' },
  plugins: { kind: 'bool', default: 'false', help: 'list the plugins and exit' },
  quiet: { kind: 'bool', default: 'false', help: 'do not print zones and version at start' },
  version: { kind: 'bool', default: 'false', help: 'print the version and exit' },
};

/** 0 to 65535; 0 lets the system choose. Throws SERVE_FLAGS. */
export function dnsPort(flags: ParsedFlags): number {
  const name = flags.isSet('p') ? 'p' : 'dns.port';
  const port = flags.int(name);
  if (port >= 0 && port <= 65535) return port;
  throw new AppError('SERVE_FLAGS', `invalid value "${port}" for flag -${name}: not a port`);
}

const MAX_PACKET_THREADS = 64;
/** Below, a burst of a few packets is lost; above, answers are seconds late. */
const UDP_BUFFER_BYTES = { min: 4096, max: 1 << 28 };

/** Throws SERVE_FLAGS. */
export function udpSettings(flags: ParsedFlags): UdpSettings {
  return {
    threads: intWithin(flags, 'packet-threads', { min: 0, max: MAX_PACKET_THREADS }),
    receiveBufferBytes: intWithin(flags, 'udp-buffer', UDP_BUFFER_BYTES),
  };
}

/** Below, a few thousand names push each other out; above, numbers of chunks and offsets do not fit any more. */
const CACHE_MEMORY_MIB = { min: 1, max: 2048 };

/** Bytes. Throws SERVE_FLAGS. */
export function cacheMemory(flags: ParsedFlags): number {
  return intWithin(flags, 'cache-memory', CACHE_MEMORY_MIB) * 1024 * 1024;
}

/** Throws SERVE_FLAGS. */
export function kernelAnswers(flags: ParsedFlags): boolean {
  const value = flags.text('kernel-answers');
  if (value === 'on' || value === 'off') return value === 'on';
  throw new AppError(
    'SERVE_FLAGS',
    `invalid value ${JSON.stringify(value)} for flag -kernel-answers: not on or off`,
  );
}

function intWithin(flags: ParsedFlags, name: string, { min, max }: { min: number; max: number }): number {
  const value = flags.int(name);
  if (value >= min && value <= max) return value;
  throw new AppError(
    'SERVE_FLAGS',
    `invalid value "${value}" for flag -${name}: not between ${min} and ${max}`,
  );
}

/**
 * What is answered without starting anything: help, version, plugin list. Throws SERVE_ARGUMENTS for words behind the
 * flags. `usage` goes in front of the list of flags.
 */
export async function answerAtOnce(
  flags: ParsedFlags,
  { usage, table }: { usage: string; table: FlagTable },
): Promise<string | undefined> {
  if (flags.wantsHelp) return `${usage}\n\n${describeFlags(table)}`;
  if (flags.rest.length > 0) {
    throw new AppError('SERVE_ARGUMENTS', `extra command line arguments: [${flags.rest.join(' ')}]`);
  }
  if (flags.flag('version')) return versionLines().join('\n');
  if (flags.flag('plugins')) return (await import('../../plugins/order.ts')).BUILT_WORDS.join('\n');
  return undefined;
}
