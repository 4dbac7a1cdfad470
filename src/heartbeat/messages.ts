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
const MAX_THREADS = 64;
const MAX_SEATS = 65_536;
const MAX_ERROR_CHARACTERS = 200;

/** What a cache serves: each of the addresses at each of the ports, over UDP and TCP. */
export interface Presence {
  readonly addresses: readonly Ip[];
  readonly ports: readonly Port[];
}

export interface Hello extends Presence {
  readonly version: typeof HEARTBEAT_VERSION;
  /** Packet threads. */
  readonly threads: number;
  /** The seat it has already: from an agent that has ended since. */
  readonly seat?: number;
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
  const hello = { version: HEARTBEAT_VERSION, addresses, ports, threads } as const;
  return ok({ kind: 'hello', hello: seat === undefined ? hello : { ...hello, seat } });
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
  return ok({ kind: 'seated', seated: { seat, seats, beatBytes } });
}

function refused(reason: string) {
  return fail('HEARTBEAT_MESSAGE', undefined, reason);
}

function decodeObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
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

function isWithin(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}
