/**
 * Questions to rtnetlink about the namespace of the calling thread, and changes. One socket per question, closed again:
 * they are asked when pods come and go, not per packet. Refusals that depend on the moment are values.
 */
import { AppError } from '../../fault/app-error.ts';
import { checkCall, errnoName } from '../errors.ts';
import { openLibc } from '../libc.ts';
import { encodeStruct, readField } from '../struct.ts';
import { NLMSGERR, NLMSGHDR } from '../uapi.gen.ts';
import { viewOf } from './attributes.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
/** Linux 4.20: without it the kernel does not look at what a dump is narrowed down to. */
const NETLINK_GET_STRICT_CHK = 12;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_ECHO = 8;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_DUMP = 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
/** The kernel's messages of a reply are at most this long. */
const REPLY_BYTES = 32768;
/** The kernel answers at once; one that does not must not hold up everything else of this thread for ever. */
const REPLY_SECONDS = 10;
/** A table that never holds still is taken as it is. */
const DUMP_TRIES = 4;

/** `OK`, or the name of the error: `EOPNOTSUPP`. */
export type ChangeResult = string;

/** One message of a reply, without the netlink header. */
export interface NetlinkMessage {
  readonly type: number;
  readonly payload: Uint8Array;
}

const NOTHING_THERE: readonly string[] = [
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENODEV',
  'ENOENT',
  'ESRCH',
  'EACCES',
];

/** Sends one request and returns the payload of its reply; undefined when there is no such thing. */
export function ask(
  type: number,
  replyType: number,
  parts: readonly Uint8Array[],
  what: string,
): Uint8Array | undefined {
  return askFor({ type, flags: 0, parts, what }, replyType, NOTHING_THERE);
}

/**
 * As `ask`, where the kernel would give the answer to the listeners of a group alone. `absent` are the errors that mean
 * that there is no such thing.
 */
export function askEchoed(
  type: number,
  replyType: number,
  parts: readonly Uint8Array[],
  absent: readonly string[],
): Uint8Array | undefined {
  return askFor({ type, flags: NLM_F_ECHO, parts, what: 'read a network setting' }, replyType, absent);
}

function askFor(request: Request, replyType: number, absent: readonly string[]): Uint8Array | undefined {
  return withSocket(request.what, (fd) => {
    sendRequest(fd, request);
    return decodeReply(receive(fd, request.what), replyType, { what: request.what, absent });
  });
}

/** Asks for a change and waits for the answer. */
export function change(type: number, flags: number, parts: readonly Uint8Array[]): ChangeResult {
  const what = 'change a network interface';
  return withSocket(what, (fd) => {
    sendRequest(fd, { type, flags: NLM_F_ACK | flags, parts, what });
    const bytes = receive(fd, what);
    return errnoName(readField(NLMSGERR, 'error', viewOf(bytes.subarray(NLMSGHDR.size))) | 0);
  });
}

/** The payloads of all messages of a table. `parts` narrow it down. Throws SYS_CALL_FAILED. */
export function dump(type: number, parts: readonly Uint8Array[], what: string): readonly Uint8Array[] {
  const answer = tryDump(type, parts, what);
  checkCall(what, answer.error);
  return answer.payloads;
}

export interface DumpAnswer {
  readonly payloads: readonly Uint8Array[];
  /** A negated errno; 0 when all went well. */
  readonly error: number;
}

/** As `dump`, for tables of things that may be gone: the refusal is a value. */
export function tryDump(type: number, parts: readonly Uint8Array[], what: string): DumpAnswer {
  const socket = new DumpSocket();
  try {
    return socket.dump(type, parts, what);
  } finally {
    socket.close();
  }
}

/** For many tables one after the other: of the namespace that the thread was in when it was made. */
export class DumpSocket {
  readonly #fd: number;
  readonly #bytes = new Uint8Array(REPLY_BYTES);

  constructor(protocol = NETLINK_ROUTE) {
    const libc = openLibc();
    this.#fd = openSocket('open a netlink socket', protocol);
    // Refused before Linux 4.20; those kernels answer with the whole table.
    libc.setsockopt(this.#fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, Uint8Array.of(1, 0, 0, 0));
  }

  /** `parts` narrow the table down. */
  dump(type: number, parts: readonly Uint8Array[], what: string): DumpAnswer {
    for (let attempt = 1; ; attempt++) {
      sendRequest(this.#fd, { type, flags: NLM_F_DUMP, parts, what });
      const answer = this.#receive(what);
      if (!answer.changed || attempt === DUMP_TRIES) return answer;
    }
  }

  close(): void {
    openLibc().close(this.#fd);
  }

  #receive(what: string): DumpAnswer & { readonly changed: boolean } {
    const payloads: Uint8Array[] = [];
    let changed = false;
    for (;;) {
      const got = checkCall(what, openLibc().recv(this.#fd, this.#bytes, 0));
      for (const { header, payload } of messagesOf(this.#bytes.subarray(0, got))) {
        changed ||= (readField(NLMSGHDR, 'nlmsg_flags', header) & NLM_F_DUMP_INTR) !== 0;
        const type = readField(NLMSGHDR, 'nlmsg_type', header);
        if (type === NLMSG_ERROR || type === NLMSG_DONE) {
          const error = payload.length < 4 ? 0 : viewOf(payload).getInt32(0, true);
          return { payloads, error, changed };
        }
        payloads.push(payload.slice());
      }
    }
  }
}

/** What one datagram holds; a length that does not fit ends it. */
function* messagesOf(datagram: Uint8Array): Generator<{ header: DataView; payload: Uint8Array }> {
  for (let at = 0; at + NLMSGHDR.size <= datagram.length; ) {
    const header = viewOf(datagram.subarray(at));
    const length = readField(NLMSGHDR, 'nlmsg_len', header);
    if (length < NLMSGHDR.size || at + length > datagram.length) return;
    yield { header, payload: datagram.subarray(at + NLMSGHDR.size, at + length) };
    at += (length + 3) & ~3;
  }
}

/** The messages of a datagram that came unasked. */
export function* decodeMessages(datagram: Uint8Array): Generator<NetlinkMessage> {
  for (const { header, payload } of messagesOf(datagram))
    yield { type: readField(NLMSGHDR, 'nlmsg_type', header), payload };
}

interface Request {
  readonly type: number;
  readonly flags: number;
  readonly parts: readonly Uint8Array[];
  readonly what: string;
}

function sendRequest(fd: number, { type, flags, parts, what }: Request): void {
  const length = parts.reduce<number>((sum, part) => sum + part.length, NLMSGHDR.size);
  const header = encodeStruct(NLMSGHDR, {
    nlmsg_len: length,
    nlmsg_type: type,
    nlmsg_flags: NLM_F_REQUEST | flags,
  });
  checkCall(what, openLibc().send(fd, Buffer.concat([header, ...parts])));
}

function receive(fd: number, what: string): Uint8Array {
  const bytes = new Uint8Array(REPLY_BYTES);
  const got = checkCall(what, openLibc().recv(fd, bytes, 0));
  return bytes.subarray(0, got);
}

function openSocket(what: string, protocol = NETLINK_ROUTE): number {
  const libc = openLibc();
  const fd = checkCall(what, libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol));
  const timeout = new Uint8Array(16);
  new DataView(timeout.buffer).setBigInt64(0, BigInt(REPLY_SECONDS), true);
  libc.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeout);
  return fd;
}

function withSocket<T>(what: string, use: (fd: number) => T): T {
  const fd = openSocket(what);
  try {
    return use(fd);
  } finally {
    openLibc().close(fd);
  }
}

function decodeReply(
  reply: Uint8Array,
  wanted: number,
  { what, absent }: { readonly what: string; readonly absent: readonly string[] },
): Uint8Array | undefined {
  if (reply.length < NLMSGHDR.size) throw new AppError('SYS_NETLINK_REPLY', `Cannot ${what}: short reply`);
  const view = viewOf(reply);
  const type = readField(NLMSGHDR, 'nlmsg_type', view);
  const payload = reply.subarray(NLMSGHDR.size, readField(NLMSGHDR, 'nlmsg_len', view));
  if (type === wanted) return payload;
  if (type !== NLMSG_ERROR) {
    throw new AppError('SYS_NETLINK_REPLY', `Cannot ${what}: unexpected reply: received type ${type}`);
  }
  const error = readField(NLMSGERR, 'error', viewOf(payload)) | 0;
  if (absent.includes(errnoName(error))) return undefined;
  checkCall(what, error);
  return undefined;
}
