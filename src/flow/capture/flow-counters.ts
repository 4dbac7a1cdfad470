/**
 * What Hubble counts of flows and of DNS (spec hubble 9), as numbers: adding is all that happens while packets come, words
 * are made when somebody scrapes. Every key has few values, whatever pods send.
 */
import { CountTable } from './count-table.ts';
import { type DnsScan, MOST_TYPES } from './dns-scan.ts';
import { PortCounters } from './port-counters.ts';

/** What one packet was, in the numbers of the ABI. */
export interface CountedPacket {
  readonly verdict: number;
  readonly hook: number;
  readonly protocol: number;
  /** Delivered through the host's stack, not to a pod's interface. */
  readonly toHost: boolean;
}

/** Packets of one kind, or messages of one kind. */
export interface Counted<Kind> {
  readonly kind: Kind;
  readonly count: number;
}

export interface CountedDrop {
  /** IANA's number. */
  readonly protocol: number;
  /** The kernel's number. */
  readonly reason: number;
}

export interface DnsKind {
  readonly isResponse: boolean;
  /** 0 to 15. */
  readonly rcode: number;
  /** 0 to 65535; types Hubble has no word for are all `OTHER_TYPE`, and so are those of too many kinds. */
  readonly qtype: number;
  /** At most `MOST_ADDRESSES`. */
  readonly addresses: number;
}

/** What Hubble counts of TCP's flags; SYN is one without ACK. */
export const COUNTED_FLAGS = ['FIN', 'SYN', 'SYN-ACK', 'RST'] as const;

export interface CountedFlag {
  readonly flag: (typeof COUNTED_FLAGS)[number];
  readonly family: 4 | 6;
}

/** Stands for every type that has no name of its own. */
export const OTHER_TYPE = 0;
export const MOST_ADDRESSES = 32;
/** Kinds of messages that are kept apart: real ones are a few dozen, made ones could be tens of thousands. */
const MOST_KINDS = 1024;
/** Of a type of record and the type asked for: each is one of some forty with a word. */
const MOST_RECORD_KINDS = 2048;
/** Upper bounds in seconds of the latency histogram: the kernel answers within microseconds, a stub resolver gives up after 5 s. */
export const LATENCY_BOUNDS: readonly number[] = [
  0.000001, 0.0000025, 0.000005, 0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
  0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];

const TCP = 6;
const UDP = 17;
/** Bits of the flag byte (RFC 9293 section 3.1). */
const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;

export class FlowCounters {
  readonly #packets = new Float64Array(48);
  readonly #udpDrops = new Map<number, number>();
  readonly #tcpDrops = new Map<number, number>();
  readonly #messages = new CountTable(MOST_KINDS);
  readonly #recordTypes = new CountTable(MOST_RECORD_KINDS);
  /** One more than bounds: the last is beyond all of them. */
  readonly latencyCounts = new Float64Array(LATENCY_BOUNDS.length + 1);
  latencySeconds = 0;
  /** Of flows that are no replies, by where they go. */
  readonly ports = new PortCounters();
  /** Of IPv4, then of IPv6, as `COUNTED_FLAGS`. */
  readonly #flags = new Float64Array(2 * COUNTED_FLAGS.length);
  readonly #isNamed: (type: number) => boolean;

  /** `isNamed`: types that Hubble has a word for. */
  constructor(isNamed: (type: number) => boolean) {
    this.#isNamed = isNamed;
  }

  packet(verdict: number, hook: number, protocol: number, toHost: boolean): void {
    const index = (verdict << 3) | (hook << 2) | (protocol === TCP ? 2 : 0) | (toHost ? 1 : 0);
    this.#packets[index] = (this.#packets[index] ?? 0) + 1;
  }

  /** `reason` is one of the kernel's, of which there are few. */
  drop(protocol: number, reason: number): void {
    const counts = protocol === TCP ? this.#tcpDrops : this.#udpDrops;
    add(counts, reason);
  }

  message(scan: DnsScan): void {
    const qtype = this.#named(scan.qtype);
    const addresses = Math.min(scan.addresses, MOST_ADDRESSES);
    const flags = scan.isResponse ? (scan.rcode << 1) | 1 : 0;
    const kind = (qtype * 64 + addresses) * 32 + flags;
    this.#messages.add(kind, flags);
    for (let i = 0; i < Math.min(scan.typeCount, MOST_TYPES); i++) {
      const type = scan.types[i] ?? 0;
      this.#recordTypes.add(this.#named(type) * 65536 + qtype, OTHER_TYPE);
    }
  }

  /** A query of which nothing is seen but its answer. */
  query(type: number): void {
    this.#messages.add(this.#named(type) * 64 * 32, 0);
  }

  #named(type: number): number {
    return this.#isNamed(type) ? type : OTHER_TYPE;
  }

  /** Of so many flows of one segment. */
  tcpFlags(flags: number, isIpv6: boolean, flows: number): void {
    if ((flags & (FIN | SYN | RST)) === 0) return;
    const base = isIpv6 ? COUNTED_FLAGS.length : 0;
    if ((flags & FIN) !== 0) this.#flag(base, flows);
    if ((flags & SYN) !== 0) this.#flag(base + ((flags & ACK) === 0 ? 1 : 2), flows);
    if ((flags & RST) !== 0) this.#flag(base + 3, flows);
  }

  #flag(index: number, flows: number): void {
    this.#flags[index] = (this.#flags[index] ?? 0) + flows;
  }

  latency(ns: number): void {
    const seconds = ns / 1e9;
    let i = 0;
    while (i < LATENCY_BOUNDS.length && seconds > (LATENCY_BOUNDS[i] ?? 0)) i++;
    this.latencyCounts[i] = (this.latencyCounts[i] ?? 0) + 1;
    this.latencySeconds += seconds;
  }

  packets(): readonly Counted<CountedPacket>[] {
    return Array.from(this.#packets, (count, index) => ({
      count,
      kind: {
        verdict: index >> 3,
        hook: (index >> 2) & 1,
        protocol: (index & 2) !== 0 ? TCP : 17,
        toHost: (index & 1) !== 0,
      },
    })).filter(({ count }) => count > 0);
  }

  drops(): readonly Counted<CountedDrop>[] {
    const rows = (protocol: number, counts: ReadonlyMap<number, number>) =>
      Array.from(counts, ([reason, count]) => ({ count, kind: { protocol, reason } }));
    return [...rows(UDP, this.#udpDrops), ...rows(TCP, this.#tcpDrops)];
  }

  messages(): readonly Counted<DnsKind>[] {
    return this.#messages.entries().map(([key, count]) => ({
      count,
      kind: {
        isResponse: (key & 1) !== 0,
        rcode: (key >> 1) & 15,
        addresses: Math.floor(key / 32) % 64,
        qtype: Math.floor(key / 2048),
      },
    }));
  }

  flags(): readonly Counted<CountedFlag>[] {
    const family = (number: 4 | 6, base: number) =>
      COUNTED_FLAGS.map((flag, i) => ({
        count: this.#flags[base + i] ?? 0,
        kind: { flag, family: number },
      }));
    return [...family(4, 0), ...family(6, COUNTED_FLAGS.length)].filter(({ count }) => count > 0);
  }

  /** Records in answers, by their type and the type that was asked for. */
  recordTypes(): readonly Counted<{ readonly type: number; readonly qtype: number }>[] {
    return this.#recordTypes.entries().map(([key, count]) => ({
      count,
      kind: { type: Math.floor(key / 65536), qtype: key % 65536 },
    }));
  }
}

function add(counts: Map<number, number>, key: number): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
