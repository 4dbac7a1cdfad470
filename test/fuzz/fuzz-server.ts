/**
 * Mutated packets through a whole server in this process: acceptance, routing, plugins, an upstream that lies, finishing.
 * Each packet is shown to the reader of the answer cache first, as a packet thread would; what that answers must be what
 * the chain answers.
 */
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { parseIp } from '../../src/net/ip.ts';
import type { SocketAddress } from '../../src/server/handler.ts';
import { type Arrival, firstMessage, type Outcome } from '../../src/server/serve-query.ts';
import { liveBytes, MAX_PACKET_MS } from './bounds.ts';
import { cachedQuestions, corpusOfServers } from './corpus.ts';
import { VARIANTS, type Variant } from './fuzz-corefile.ts';
import type { FuzzOptions } from './fuzz-decoder.ts';
import { type InProcessServer, startInProcess } from './in-process-server.ts';
import { LyingUpstream } from './lying-upstream.ts';
import { Mutator } from './mutator.ts';
import { Random } from './random.ts';
import { countRcode, newReport, noteTime, type StageReport } from './stage-report.ts';
import { Violation } from './violation.ts';
import { replyFault } from './wire/judge-reply.ts';
import { difference, lowestTtl } from './wire/same-answer.ts';
import { rcodeOf } from './wire/wire-fields.ts';

const STAGE = 'server in process';
const WINDOW = 256;
/** Packets between two turns of the event loop. */
const TURN_PACKETS = 32;
/** As `server/query-desk.ts` gives a chain, and the time until that is seen. */
const MAX_ANSWER_MS = 35_000;
/** The metrics' labels, the flights and sockets of `forward`, compiled code. The answer cache has its own memory. */
const MAX_GROWTH_BYTES = 24 * 1_048_576;
/** Plugins' tables and compiled code have their size by then. */
const WARM_PACKETS = 50_000;
const PROGRESS_PACKETS = 100_000;
/** Answers that are about to end may end between two looks. */
const SHORT_TTL = 2;

/** Rejects with a `Violation`. */
export async function fuzzServer(options: FuzzOptions): Promise<readonly StageReport[]> {
  const reports: StageReport[] = [];
  const count = Math.ceil(options.count / VARIANTS.length);
  for (const variant of VARIANTS) reports.push(await fuzzVariant({ ...options, count }, variant));
  return reports;
}

async function fuzzVariant(options: FuzzOptions, variant: Variant): Promise<StageReport> {
  const upstream = await LyingUpstream.start();
  const server = await startInProcess(upstream.port, variant);
  try {
    const run = new Run(options, { server, upstream, variant });
    return await run.all();
  } finally {
    await server.close();
    await upstream.close();
  }
}

interface Sent {
  readonly index: number;
  readonly arrival: Arrival;
  readonly fast: Uint8Array | undefined;
}

interface Rig {
  readonly server: InProcessServer;
  readonly upstream: LyingUpstream;
  readonly variant: Variant;
}

class Run {
  readonly #options: FuzzOptions;
  readonly #server: InProcessServer;
  readonly #upstream: LyingUpstream;
  readonly #random: Random;
  readonly #mutator: Mutator;
  readonly #report: StageReport;
  readonly #shuffled: boolean;
  readonly #pending = new Map<number, { readonly sent: Sent; readonly sinceMs: number }>();
  #violation: Violation | undefined;

  constructor(options: FuzzOptions, { server, upstream, variant }: Rig) {
    this.#options = options;
    this.#server = server;
    this.#upstream = upstream;
    this.#shuffled = variant.loadbalance;
    this.#report = newReport(`${STAGE}: ${variant.cache.replace(/\s+/g, ' ')}`);
    // Each variant meets packets of its own.
    const seed = options.seed + 0x1_0000_0000 * VARIANTS.indexOf(variant);
    this.#random = new Random(seed + 0x5eed);
    this.#mutator = new Mutator(new Random(seed), corpusOfServers());
  }

  async all(): Promise<StageReport> {
    const { count, progress } = this.#options;
    const report = this.#report;
    await this.#fillCache();
    report.memory.beforeBytes = liveBytes();
    const startedMs = performance.now();
    for (let i = 0; i < count; i++) {
      if (i === Math.min(WARM_PACKETS, count >> 1)) report.memory.beforeBytes = liveBytes();
      this.#send(i);
      if (i % TURN_PACKETS === 0) await nextTurn();
      while (this.#pending.size >= WINDOW) await this.#wait();
      this.#check(i);
      if ((i + 1) % PROGRESS_PACKETS === 0)
        progress(`${report.stage}: ${i + 1}, upstream asked ${this.#upstream.asked}`);
    }
    while (this.#pending.size > 0) await this.#wait();
    this.#check(count);
    report.packets = count;
    report.seconds = (performance.now() - startedMs) / 1000;
    report.memory.afterBytes = liveBytes();
    const growth = report.memory.afterBytes - report.memory.beforeBytes;
    if (growth > MAX_GROWTH_BYTES)
      throw this.#violationOf(count, new Uint8Array(0), `memory grew by ${growth}`);
    if (report.fast === 0) throw new Error('Not one packet was answered without the chain');
    return report;
  }

  async #fillCache(): Promise<void> {
    for (const question of cachedQuestions())
      await this.#server.serve(arrivalOf(question, 'udp', CLIENTS[4]));
  }

  #send(index: number): void {
    const length = this.#mutator.next();
    // The server keeps what it is given.
    const packet = this.#mutator.bytes.slice(0, length);
    const transport = this.#random.below(4) === 0 ? 'tcp' : 'udp';
    const family = this.#random.below(4) === 0 ? 6 : 4;
    const fast = transport === 'udp' ? this.#server.answerFast(packet, family)?.slice() : undefined;
    const sent = { index, fast, arrival: arrivalOf(packet, transport, CLIENTS[family]) };
    try {
      const beforeMs = performance.now();
      const answer = this.#server.serve(sent.arrival);
      this.#checkTime(performance.now() - beforeMs, sent);
      if (!(answer instanceof Promise)) {
        this.#judge(sent, answer);
        return;
      }
      this.#pending.set(index, { sent, sinceMs: beforeMs });
      void answer.then(
        (outcome) => this.#settle(sent, outcome),
        (error) => this.#fail(sent, `rejected: ${String(error)}`),
      );
    } catch (error) {
      this.#fail(sent, `threw: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }

  #settle(sent: Sent, outcome: Outcome): void {
    this.#pending.delete(sent.index);
    this.#judge(sent, outcome);
  }

  #judge(sent: Sent, outcome: Outcome): void {
    const { arrival, fast, index } = sent;
    const { transport, bytes: query } = arrival;
    const reply = firstMessage(outcome);
    if (fast !== undefined) this.#report.fast++;
    if (reply === undefined) this.#report.silent++;
    else countRcode(this.#report, rcodeOf(reply));
    const fault = reply && replyFault({ query, reply, transport });
    if (fault !== undefined) {
      this.#fail(sent, `${fault}; reply ${Buffer.from(reply ?? []).toString('hex')}`);
      return;
    }
    if (fast !== undefined) this.#judgeFast(sent, fast, reply);
    const panic = this.#server.panic();
    if (panic !== undefined) this.#fail({ ...sent, index }, panic);
  }

  #judgeFast(sent: Sent, fast: Uint8Array, slow: Uint8Array | undefined): void {
    const fault = replyFault({ query: sent.arrival.bytes, reply: fast, transport: 'udp' });
    const ttl = lowestTtl(fast);
    const isEnding = ttl !== undefined && ttl <= SHORT_TTL;
    const unlike =
      slow === undefined ? 'the chain is silent' : difference(fast, slow, { shuffled: this.#shuffled });
    if (fault === undefined && (unlike === undefined || isEnding)) return;
    const replies = [fast, slow ?? []].map((each) => Buffer.from(each).toString('hex')).join(' and ');
    this.#fail(sent, `without the chain: ${fault ?? unlike}; replies ${replies}`);
  }

  #checkTime(ms: number, sent: Sent): void {
    noteTime(this.#report, ms, sent.index);
    if (ms < MAX_PACKET_MS) return;
    const beforeMs = performance.now();
    void this.#server.serve(sent.arrival);
    if (performance.now() - beforeMs > MAX_PACKET_MS) this.#fail(sent, `took ${ms.toFixed(0)} ms`);
  }

  async #wait(): Promise<void> {
    await pause(1);
    const [oldest] = this.#pending.values();
    if (oldest !== undefined && performance.now() - oldest.sinceMs > MAX_ANSWER_MS) {
      throw this.#violationOf(oldest.sent.index, oldest.sent.arrival.bytes, 'was never answered');
    }
  }

  #fail({ index, arrival }: Sent, what: string): void {
    this.#pending.delete(index);
    const { transport, client } = arrival;
    this.#violation ??= this.#violationOf(
      index,
      arrival.bytes,
      `${what} (${transport} from ${client.address})`,
    );
  }

  #check(index: number): void {
    if (this.#violation !== undefined) throw this.#violation;
    const { fault } = this.#upstream;
    if (fault !== undefined) throw this.#violationOf(index, new Uint8Array(0), fault);
  }

  #violationOf(index: number, packet: Uint8Array, what: string): Violation {
    return new Violation({ stage: this.#report.stage, seed: this.#options.seed, index, packet, what });
  }
}

const LOCAL = addressOf('10.0.0.2', 53);
const CLIENTS = { 4: addressOf('10.0.0.1', 40_000), 6: addressOf('2001:db8::1', 40_000) } as const;

function addressOf(text: string, port: number): SocketAddress {
  const address = parseIp(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return { address, port };
}

function arrivalOf(bytes: Uint8Array, transport: 'udp' | 'tcp', client: SocketAddress): Arrival {
  return { bytes, client, local: LOCAL, transport, receivedAtMs: performance.now() };
}
