/**
 * Names that a process holds in its network namespace: abstract Unix sockets (unix(7)) that are bound and never used.
 * The kernel gives a name back when its holder ends, however it ends; processes in other containers see it as long as
 * they share the network namespace, and no file system is needed.
 */
import { readFileSync } from 'node:fs';
import { checkCall, errnoName } from './errors.ts';
import { openLibc } from './libc.ts';
import { encodeStruct } from './struct.ts';
import { SOCKADDR_UN } from './uapi.gen.ts';

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
/** `sun_path` without the zero byte in front. */
const MAX_NAME_BYTES = 107;

/** The way to give it back; undefined when somebody has that name already. Names are ASCII without blanks. */
export function claimName(name: string): (() => void) | undefined {
  const libc = openLibc();
  const path = new TextEncoder().encode(`\0${name}`);
  if (path.length > MAX_NAME_BYTES + 1) throw new Error(`Cannot claim a name of ${path.length - 1} bytes`);
  const address = encodeStruct(SOCKADDR_UN, { sun_family: AF_UNIX, sun_path: path });
  // An abstract name ends where the address does; zero bytes behind it would be part of it.
  const exact = address.slice(0, SOCKADDR_UN.fields.sun_path[0] + path.length);
  const fd = checkCall(`claim the name ${name}`, libc.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0));
  const result = libc.bind(fd, exact);
  if (result >= 0) return () => void libc.close(fd);
  libc.close(fd);
  if (errnoName(result) !== 'EADDRINUSE') checkCall(`claim the name ${name}`, result);
  return undefined;
}

/** Every name held in this network namespace, ours too, that starts with `prefix`. */
export function claimedNames(prefix: string): readonly string[] {
  return readFileSync('/proc/self/net/unix', 'utf8')
    .split('\n')
    .map((line) => /^(?:\S+ +){7}@(\S+)$/.exec(line)?.[1] ?? '')
    .filter((name) => name !== '' && name.startsWith(prefix));
}
