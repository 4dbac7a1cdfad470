/**
 * The network namespaces of this machine, and work inside of one. A namespace belongs to a thread: what runs inside must
 * be synchronous, so that nothing else of this thread is ever there.
 */
import { closeSync, openSync, readdirSync, statSync } from 'node:fs';
import { checkCall } from '../errors.ts';
import { openLibc } from '../libc.ts';
import { attribute, decodeAttributes, u32Of } from '../netlink/attributes.ts';
import { ask } from '../netlink/exchange.ts';
import { encodeStruct } from '../struct.ts';
import { RTGENMSG } from '../uapi.gen.ts';

const CLONE_NEWNET = 0x40000000;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
const SOL_SOCKET = 1;
const SO_NETNS_COOKIE = 71;
const RTM_NEWNSID = 88;
const RTM_GETNSID = 90;
const NETNSA_NSID = 1;
const NETNSA_FD = 3;
const MOUNTED = '/run/netns';
const OWN = '/proc/thread-self/ns/net';

export interface NetNamespace {
  readonly inode: bigint;
  /** Something to open; it may be gone by then. */
  readonly path: string;
}

/** Every namespace that a process lives in or that is kept under /run/netns, once each. */
export function listNamespaces(): readonly NetNamespace[] {
  const found = new Map<bigint, string>();
  const candidates = [
    ...namesIn(MOUNTED).map((name) => `${MOUNTED}/${name}`),
    ...namesIn('/proc').flatMap((name) => (/^\d+$/.test(name) ? [`/proc/${name}/ns/net`] : [])),
  ];
  for (const path of candidates) {
    const inode = inodeOf(path);
    if (inode !== undefined && !found.has(inode)) found.set(inode, path);
  }
  return [...found].map(([inode, path]) => ({ inode, path }));
}

export function ownNamespace(): NetNamespace {
  return { inode: statSync(OWN, { bigint: true }).ino, path: OWN };
}

/**
 * Runs `work` inside and comes back, also when it throws; undefined when the namespace is gone. Throws SYS_CALL_FAILED
 * when it may not be entered.
 */
export function insideNamespace<T>(namespace: NetNamespace, work: () => T): T | undefined {
  // Whoever is there already needs no right to enter (CAP_SYS_ADMIN).
  if (namespace.inode === ownNamespace().inode) return work();
  return withDescriptor(namespace, (fd) => {
    const home = openSync(OWN, 'r');
    try {
      checkCall(`enter network namespace ${namespace.path}`, openLibc().setns(fd, CLONE_NEWNET));
      try {
        return work();
      } finally {
        // Whoever could enter the other may come back: it is our own.
        checkCall('come back from a network namespace', openLibc().setns(home, CLONE_NEWNET));
      }
    } finally {
      closeSync(home);
    }
  });
}

/** By which id the thread's own namespace knows the other; undefined when by none, or when it is gone. */
export function namespaceId(namespace: NetNamespace): number | undefined {
  return withDescriptor(namespace, (fd) => {
    const parts = [encodeStruct(RTGENMSG, {}), new Uint8Array(3), attribute(NETNSA_FD, u32(fd))];
    const reply = ask(RTM_GETNSID, RTM_NEWNSID, parts, `ask for the id of ${namespace.path}`);
    const id = reply && decodeAttributes(reply.subarray(4)).get(NETNSA_NSID);
    const number = id === undefined ? -1 : u32Of(id) | 0;
    return number < 0 ? undefined : number;
  });
}

/** Of the thread's namespace, as programs see it: SO_NETNS_COOKIE, Linux 5.14; undefined before. */
export function namespaceCookie(): bigint | undefined {
  const libc = openLibc();
  const fd = checkCall('open a socket', libc.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0));
  try {
    const value = new BigUint64Array(1);
    const result = libc.getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, new Uint8Array(value.buffer));
    return result < 0 ? undefined : value[0];
  } finally {
    libc.close(fd);
  }
}

/** The descriptor is opened and looked at again: a process id may be another process by now. */
function withDescriptor<T>({ inode, path }: NetNamespace, use: (fd: number) => T): T | undefined {
  const fd = openOrNothing(path);
  if (fd === undefined) return undefined;
  try {
    return inodeOf(`/proc/self/fd/${fd}`) === inode ? use(fd) : undefined;
  } finally {
    closeSync(fd);
  }
}

function openOrNothing(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    // Its last process ended.
    return undefined;
  }
}

/** Undefined also for a name under /run/netns that nothing is mounted on: all namespaces are of one file system. */
function inodeOf(path: string): bigint | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return dev === statSync(OWN, { bigint: true }).dev ? ino : undefined;
  } catch {
    // A process that ended, or one that is none of ours to look into.
    return undefined;
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    // Nobody has used `ip netns` here.
    return [];
  }
}

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
