/**
 * The only file that calls into libc, and the only one that knows koffi. Everything is synchronous; every function
 * that can fail returns a negated errno, as the kernel itself does, because errno must be fetched before any other
 * call. Pointers that stand inside structs are plain numbers to the garbage collector: whoever passes one keeps its
 * buffer alive until the call has returned. A view must never be touched after `munmap`: that is a crash, not an
 * exception.
 */
import { createRequire } from 'node:module';
import { AppError, errorText } from '../fault/app-error.ts';
import { SYS_ERRORS } from './errors.ts';

type Koffi = typeof import('koffi');
type Native = (...parameters: readonly unknown[]) => number | bigint;

export interface Libc {
  /** bpf(2). `attr` is a union bpf_attr. */
  bpf(command: number, attr: Uint8Array): number;
  /** Where the bytes live. They do not move while the object is reachable. */
  address(bytes: Uint8Array): bigint;
  setns(fd: number, type: number): number;
  close(fd: number): number;
  flock(fd: number, operation: number): number;
  /** Maps `length` bytes, shared, at a page-aligned `offset`. */
  mmap(fd: number, length: number, protection: number, offset: number): Mapping | number;
  mount(source: string, target: string, type: string): number;
  umount(target: string): number;
  /** Lifts RLIMIT_MEMLOCK, which kernels before 5.11 charge maps to. */
  unlimitMemlock(): number;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): number;
  send(fd: number, bytes: Uint8Array): number;
  recv(fd: number, into: Uint8Array, flags: number): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array): number;
  connect(fd: number, address: Uint8Array): number;
  /** Fills in as much of `address` as the socket's own has. */
  getsockname(fd: number, address: Uint8Array): number;
  getpeername(fd: number, address: Uint8Array): number;
  /** Fills in `value`. */
  getsockopt(fd: number, level: number, option: number, value: Uint8Array): number;
  listen(fd: number, backlog: number): number;
  /** A descriptor, with the flags of socket(2)'s type. */
  accept(fd: number, flags: number): number;
  /** How many messages came. `messages` is the address of an array of `mmsghdr`. */
  recvmmsg(fd: number, messages: number, count: number, flags: number): number;
  /** How many went. */
  sendmmsg(fd: number, messages: number, count: number, flags: number): number;
  /** `fds` is the address of an array of `pollfd`; how many have something to say. */
  poll(fds: number, count: number, timeoutMs: number): number;
  /** `at` is page-aligned. */
  madvise(at: bigint, length: number, advice: number): number;
  /** Memory that another thread of this process has mapped: not to be touched once it is unmapped. */
  memoryAt(address: bigint, length: number): ArrayBuffer;
  /** Gives free memory of the C library back to the system; 0 where the library (musl) has no such call. */
  mallocTrim(): number;
}

export interface Mapping {
  readonly memory: ArrayBuffer;
  /** Of its first byte, for other threads. */
  readonly address: bigint;
  /** After this the memory must not be touched. */
  unmap(): void;
}

export const PROT_READ = 1;
export const PROT_WRITE = 2;
const MAP_SHARED = 1;
const RLIMIT_MEMLOCK = 8;
const EBADF = 9;

/** System call numbers that libc has no function for, by `process.arch`. */
const SYS_BPF: Readonly<Record<string, number>> = { x64: 321, arm64: 280 };

const opened: { libc?: Libc } = {};

/** Loads libc once per thread; throws `SYS_LIBC_UNAVAILABLE`. */
export function openLibc(): Libc {
  opened.libc ??= loadLibc();
  return opened.libc;
}

function loadLibc(): Libc {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    const libc = bindLibc(koffi);
    selfTest(libc);
    return libc;
  } catch (error) {
    const message = `Cannot call into libc: ${errorText(error)}: received ${process.platform}/${process.arch}`;
    throw new AppError('SYS_LIBC_UNAVAILABLE', message, {
      cause: error,
      hint: SYS_ERRORS.SYS_LIBC_UNAVAILABLE.cure,
    });
  }
}

function bindLibc(koffi: Koffi): Libc {
  const library = koffi.load(null);
  const bind = (signature: string): Native => library.func(signature);
  const checked = (returned: number | bigint): number => {
    const result = Number(returned);
    return result === -1 ? -koffi.errno() : result;
  };
  // What is called for every batch of packets is not called by way of this: it makes an array each time.
  const call = (native: Native, ...parameters: readonly unknown[]): number => checked(native(...parameters));
  const native = {
    bpf: bind('long syscall(long number, int command, void *attr, unsigned int size)'),
    setns: bind('int setns(int fd, int type)'),
    close: bind('int close(int fd)'),
    flock: bind('int flock(int fd, int operation)'),
    mmap: bind('intptr_t mmap(void *at, size_t length, int protection, int flags, int fd, long offset)'),
    munmap: bind('int munmap(intptr_t at, size_t length)'),
    mount: bind('int mount(str source, str target, str type, unsigned long flags, void *data)'),
    umount2: bind('int umount2(str target, int flags)'),
    setrlimit: bind('int setrlimit(int resource, void *limit)'),
    socket: bind('int socket(int domain, int type, int protocol)'),
    bind: bind('int bind(int fd, void *address, unsigned int length)'),
    send: bind('long send(int fd, void *bytes, size_t length, int flags)'),
    recv: bind('long recv(int fd, void *bytes, size_t length, int flags)'),
    setsockopt: bind('int setsockopt(int fd, int level, int option, void *value, unsigned int length)'),
    connect: bind('int connect(int fd, void *address, unsigned int length)'),
    getsockname: bind('int getsockname(int fd, void *address, void *length)'),
    getpeername: bind('int getpeername(int fd, void *address, void *length)'),
    getsockopt: bind('int getsockopt(int fd, int level, int option, void *value, void *length)'),
    listen: bind('int listen(int fd, int backlog)'),
    accept4: bind('int accept4(int fd, void *address, void *length, int flags)'),
    recvmmsg: bind(
      'int recvmmsg(int fd, intptr_t messages, unsigned int count, int flags, intptr_t timeout)',
    ),
    sendmmsg: bind('int sendmmsg(int fd, intptr_t messages, unsigned int count, int flags)'),
    poll: bind('int poll(intptr_t fds, unsigned long count, int timeout)'),
    madvise: bind('int madvise(intptr_t at, size_t length, int advice)'),
    mallocTrim: optional(() => bind('int malloc_trim(size_t pad)')),
  };
  const number = SYS_BPF[process.arch];
  if (number === undefined) throw new Error('no system call numbers for this architecture');
  return {
    bpf: (command, attr) => call(native.bpf, number, command, attr, attr.byteLength),
    address: (bytes) => koffi.address(bytes),
    setns: (fd, type) => call(native.setns, fd, type),
    close: (fd) => call(native.close, fd),
    flock: (fd, operation) => call(native.flock, fd, operation),
    mmap(fd, length, protection, offset) {
      const at = native.mmap(null, length, protection, MAP_SHARED, fd, offset);
      if (Number(at) === -1) return -koffi.errno();
      const unmap = () => void native.munmap(at, length);
      return { memory: koffi.view(BigInt(at), length), address: BigInt(at), unmap };
    },
    mount: (source, target, type) => call(native.mount, source, target, type, 0, null),
    umount: (target) => call(native.umount2, target, 0),
    unlimitMemlock: () => call(native.setrlimit, RLIMIT_MEMLOCK, new Uint8Array(16).fill(0xff)),
    socket: (domain, type, protocol) => call(native.socket, domain, type, protocol),
    bind: (fd, address) => call(native.bind, fd, address, address.byteLength),
    send: (fd, bytes) => call(native.send, fd, bytes, bytes.byteLength, 0),
    recv: (fd, into, flags) => call(native.recv, fd, into, into.byteLength, flags),
    setsockopt: (fd, level, option, value) =>
      call(native.setsockopt, fd, level, option, value, value.byteLength),
    connect: (fd, address) => call(native.connect, fd, address, address.byteLength),
    getsockname: (fd, address) => call(native.getsockname, fd, address, Uint32Array.of(address.byteLength)),
    getpeername: (fd, address) => call(native.getpeername, fd, address, Uint32Array.of(address.byteLength)),
    getsockopt: (fd, level, option, value) =>
      call(native.getsockopt, fd, level, option, value, Uint32Array.of(value.byteLength)),
    listen: (fd, backlog) => call(native.listen, fd, backlog),
    accept: (fd, flags) => call(native.accept4, fd, null, null, flags),
    recvmmsg: (fd, messages, count, flags) => checked(native.recvmmsg(fd, messages, count, flags, 0)),
    sendmmsg: (fd, messages, count, flags) => checked(native.sendmmsg(fd, messages, count, flags)),
    poll: (fds, count, timeoutMs) => checked(native.poll(fds, count, timeoutMs)),
    madvise: (at, length, advice) => call(native.madvise, at, length, advice),
    memoryAt: (address, length) => koffi.view(address, length),
    mallocTrim: () => Number(native.mallocTrim?.(0) ?? 0),
  };
}

/** What only some C libraries have. */
function optional(find: () => Native): Native | undefined {
  try {
    return find();
  } catch {
    // Not in this one: the caller does without.
    return undefined;
  }
}

/** A binary of the wrong architecture or C library can load and still misbehave: ask it what we know already. */
function selfTest(libc: Libc): void {
  const result = libc.close(-1);
  if (result !== -EBADF) throw new Error(`close(-1) must fail with EBADF and returned ${result}`);
  if (libc.address(new Uint8Array(8)) === 0n) throw new Error('the address of a buffer is zero');
}
