/**
 * What a cache and the agent of its node say to each other, a JSON object in each message of a SOCK_SEQPACKET socket:
 *
 *   cache: Hello ▶  agent: Seated, with the descriptor of the map of beats ▶  cache: { beating: true }
 *   cache: { leaving: true } ▶  agent: { left: true }, once no packet is redirected to it any more
 *   agent: { error } and the end, for whatever it does not understand
 *
 * A further Hello on the same connection says what the cache serves from now on. Only root can connect, and still what
 * comes in is checked and bounded: a cache of another version must not harm an agent, nor the other way round.
 */
import { fail, ok, type Result } from '../fault/result.ts';
import { type Ip, parseIp } from '../net/ip.ts';
import { type Port, toPort } from '../net/port.ts';

export const HEARTBEAT_VERSION = 1;
/** Beside the cache in a directory of root's alone, so that a pod can be given the one without the agent's API. */
export const DEFAULT_HEARTBEAT_SOCKET = '/run/zerohop/cache/beat.sock';

/** A node has a few addresses in each family for each of its networks. */
export const MAX_ADDRESSES = 64;
export const MAX_PORTS = 16;
/** All of them and all addresses fit into 8 KiB, which is what an agent takes that knows nothing of the answer map. */
export const MAX_LISTENERS = 64;
const MAX_THREADS = 64;
const MAX_SEATS = 65_536;
/** Views and shelves have 16 bits in a key and in its source. */
const MAX_U16 = 65_535;
/** Far beyond a million entries, and still an index and slots that a process can map. */
const MAX_SETS = 1 << 20;
const MAX_SLOTS = 1 << 22;
const MAX_LOG_BYTES = 1 << 28;
const MAX_ERROR_CHARACTERS = 200;

/** What a cache serves: each of the addresses at each of the ports, over UDP and TCP. */
export interface Presence {
  readonly addresses: readonly Ip[];
  readonly ports: readonly Port[];
}

/** One socket of a cache, as far as the answer map is concerned. */
export interface ListenerView {
  /** Absent: all addresses of the process. */
  readonly address?: Ip;
  readonly port: Port;
  /** What keys of the answer map tell this listener's answers by: 1 to 65535, for as long as the process lives. */
  readonly view: number;
}

/** What a cache that fills the answer map says of it. */
export interface AnswerWish {
  /** ANSWER_LAYOUT of bpf/answer-abi.h. */
  readonly layout: number;
  /** The shelf it has already: from an agent that has ended since. */
  readonly shelf?: number;
  readonly listeners: readonly ListenerView[];
}

export interface Hello extends Presence {
  readonly version: typeof HEARTBEAT_VERSION;
  /** Packet threads. */
  readonly threads: number;
  /** The seat it has already: from an agent that has ended since. */
  readonly seat?: number;
  /** Absent: it fills no answer map. */
  readonly answers?: AnswerWish;
}

export type CacheMessage =
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'beating' }
  | { readonly kind: 'leaving' };

export interface Seated {
  readonly seat: number;
  /** Of the map that comes with it: how many seats it has, and the bytes of each. */
  readonly seats: number;
  readonly beatBytes: number;
  /** Absent: there is no answer map for it. Four descriptors behind that of the beats: index, small and large slots, log. */
  readonly shelf?: ShelfGrant;
}

export interface ShelfGrant {
  readonly number: number;
  /** A power of two; the index has one element more, its head. */
  readonly sets: number;
  readonly smallSlots: number;
  readonly largeSlots: number;
  readonly logBytes: number;
}

export type AgentMessage =
  | { readonly kind: 'seated'; readonly seated: Seated }
  | { readonly kind: 'left' }
  | { readonly kind: 'error'; readonly error: string };

export const BEATING = encode({ beating: true });
export const LEAVING = encode({ leaving: true });
export const LEFT = encode({ left: true });

export function encode(message: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(message));
}

/** Fails with HEARTBEAT_MESSAGE and a reason for the other side. */
export function decodeCacheMessage(bytes: Uint8Array): Result<CacheMessage> {
  const fields = decodeObject(bytes);
  if (fields === undefined) return refused('it is not a JSON object');
  if (fields.beating === true) return ok({ kind: 'beating' });
  if (fields.leaving === true) return ok({ kind: 'leaving' });
  if (fields.version !== HEARTBEAT_VERSION) return refused(`its version is not ${HEARTBEAT_VERSION}`);
  const addresses = listOf(fields.addresses, MAX_ADDRESSES, (each) =>
    typeof each === 'string' ? parseIp(each) : undefined,
  );
  if (addresses === undefined) return refused(`addresses is not a list of 1 to ${MAX_ADDRESSES} addresses`);
  const ports = listOf(fields.ports, MAX_PORTS, (each) =>
    typeof each === 'number' ? toPort(each) : undefined,
  );
  if (ports === undefined) return refused(`ports is not a list of 1 to ${MAX_PORTS} ports`);
  const { threads, seat } = fields;
  if (!isWithin(threads, 0, MAX_THREADS)) return refused('threads is not a number of threads');
  if (seat !== undefined && !isWithin(seat, 1, MAX_SEATS - 1)) return refused('seat is not a seat');
  const answers = fields.answers === undefined ? undefined : decodeWish(fields.answers);
  if (answers?.ok === false) return answers;
  const hello: Hello = {
    version: HEARTBEAT_VERSION,
    addresses,
    ports,
    threads,
    ...(seat !== undefined && { seat }),
    ...(answers !== undefined && { answers: answers.value }),
  };
  return ok({ kind: 'hello', hello });
}

function decodeWish(value: unknown): Result<AnswerWish> {
  if (!isObject(value)) return refused('answers is not an object');
  const { layout, shelf, listeners } = value;
  if (!isWithin(layout, 1, MAX_U16)) return refused('layout is not the number of one');
  if (shelf !== undefined && !isWithin(shelf, 1, MAX_U16)) return refused('shelf is not a shelf');
  if (!Array.isArray(listeners) || listeners.length > MAX_LISTENERS) {
    return refused(`listeners is not a list of at most ${MAX_LISTENERS}`);
  }
  const views = listeners.map(decodeListener).filter((view) => view !== undefined);
  if (views.length < listeners.length) return refused('a listener has no port, no view or a wrong address');
  return ok({ layout, ...(shelf !== undefined && { shelf }), listeners: views });
}

function decodeListener(value: unknown): ListenerView | undefined {
  if (!isObject(value) || !isWithin(value.view, 1, MAX_U16) || typeof value.port !== 'number')
    return undefined;
  const port = toPort(value.port);
  if (port === undefined) return undefined;
  if (value.address === undefined) return { port, view: value.view };
  const address = typeof value.address === 'string' ? parseIp(value.address) : undefined;
  return address && { address, port, view: value.view };
}

/** Fails with HEARTBEAT_MESSAGE. */
export function decodeAgentMessage(bytes: Uint8Array): Result<AgentMessage> {
  const fields = decodeObject(bytes);
  if (fields === undefined) return refused('it is not a JSON object');
  if (fields.left === true) return ok({ kind: 'left' });
  if (typeof fields.error === 'string') {
    return ok({ kind: 'error', error: fields.error.slice(0, MAX_ERROR_CHARACTERS) });
  }
  const { seat, seats, beatBytes } = fields;
  const isMap = isWithin(seats, 2, MAX_SEATS) && isWithin(beatBytes, 8, 4096) && beatBytes % 8 === 0;
  if (!isMap || !isWithin(seat, 1, seats - 1)) return refused('it names no seat');
  if (fields.shelf === undefined) return ok({ kind: 'seated', seated: { seat, seats, beatBytes } });
  const shelf = decodeGrant(fields.shelf);
  if (shelf === undefined) return refused('its shelf is none');
  return ok({ kind: 'seated', seated: { seat, seats, beatBytes, shelf } });
}

function decodeGrant(value: unknown): ShelfGrant | undefined {
  if (!isObject(value)) return undefined;
  const { number, sets, smallSlots, largeSlots, logBytes } = value;
  if (!isWithin(number, 1, MAX_U16) || !isPowerOfTwo(sets, 1, MAX_SETS)) return undefined;
  if (!isWithin(smallSlots, 1, MAX_SLOTS) || !isWithin(largeSlots, 1, MAX_SLOTS)) return undefined;
  // A ring's is one of whole pages.
  if (!isPowerOfTwo(logBytes, 4096, MAX_LOG_BYTES)) return undefined;
  return { number, sets, smallSlots, largeSlots, logBytes };
}

function refused(reason: string) {
  return fail('HEARTBEAT_MESSAGE', undefined, reason);
}

function decodeObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isObject(value) ? value : undefined;
  } catch {
    // The parser's own words add nothing.
    return undefined;
  }
}

/** Each once; undefined when there is none, there are too many, or one of them is wrong. */
function listOf<T>(value: unknown, most: number, parse: (each: unknown) => T | undefined): T[] | undefined {
  if (!Array.isArray(value) || value.length === 0 || value.length > most) return undefined;
  const parsed = value.map(parse).filter((each) => each !== undefined);
  return parsed.length === value.length ? [...new Set(parsed)] : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isPowerOfTwo(value: unknown, least: number, most: number): value is number {
  return isWithin(value, least, most) && (value & (value - 1)) === 0;
}

function isWithin(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}
