/**
 * Mutated packets to the real program with packet threads: by UDP with so many under way, by TCP and DoT on connections
 * that are opened again whenever they are closed. All three at the same time. The cache is full of what is asked most, so packet threads answer too.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { FrameSplitter, frameMessage } from '../../src/dns/frames.ts';
import { cachedQuestions, corpusOfServers } from './corpus.ts';
import { fuzzCorefile } from './fuzz-corefile.ts';
import type { FuzzOptions } from './fuzz-decoder.ts';
import { LyingUpstream } from './lying-upstream.ts';
import { Mutator } from './mutator.ts';
import { Random } from './random.ts';
import { RealProgram } from './real-program.ts';
import { countRcode, newReport, noteTime, type StageReport } from './stage-report.ts';
import { Violation } from './violation.ts';
import { type Asked, WaitingList } from './waiting-list.ts';
import { replyFault } from './wire/judge-reply.ts';
import { HEADER_BYTES, idOf, isReply, rcodeOf } from './wire/wire-fields.ts';

export type Way = 'udp' | 'tcp' | 'tls';

/** Fits into the smallest receive buffer a system has, with the kernel's own bytes beside each packet. */
const WINDOW = 96;
const FAST = 'zerohop_udp_shortcut_answers_total';
const TURN_PACKETS = 16;
/** Who waits longer asks for something that goes to a silent upstream, or was dropped. */
const TIRED_MS = 250;
const BUFFER_BYTES = 4 << 20;
/** Stands for the index of what is asked before and after. */
const PLAIN = -1;
const ASK_AGAIN_MS = 2000;
const DRAIN_MS = 6000;
const MAX_PLAIN_MS = 20_000;
const PROGRESS_PACKETS = 50_000;
/**
 * Resident, of another process, which cannot be told to collect: garbage came to 70 MB before it was looked at, and the
 * caches take up to 64 MB that are set aside for answers as these come. A leak of 1 KB a packet is more than that.
 */
const MAX_GROWTH_BYTES = 128 * 1_048_576;
const WARM_PACKETS = 20_000;
/** Queries of one connection, before another is opened: half of them end in the middle of a frame. */
const CONNECTION_QUERIES = 500;

/** Rejects with a `Violation`. `counts` are packets for each way. */
export async function fuzzSockets(
  options: Omit<FuzzOptions, 'count'>,
  counts: Readonly<Record<Way, number>>,
): Promise<readonly StageReport[]> {
  const upstream = await LyingUpstream.start();
  const program = await RealProgram.start({
    corefile: ({ dns, dot, metrics }, certificate) =>
      fuzzCorefile({
        upstream: `127.0.0.1:${upstream.port}`,
        port: dns,
        extra: `prometheus 127.0.0.1:${metrics}`,
        tls: { port: dot, ...certificate },
      }),
  });
  try {
    const ways = ['udp', 'tcp', 'tls'] as const;
    const reports = ways.map((way) => new SocketRun(way, { ...options, count: counts[way] }, program).all());
    const all = await Promise.all(reports);
    if (upstream.fault !== undefined) throw new Error(upstream.fault);
    return all;
  } finally {
    await program.close();
    await upstream.close();
  }
}

class SocketRun {
  readonly #way: Way;
  readonly #options: FuzzOptions;
  readonly #program: RealProgram;
  readonly #report: StageReport;
  readonly #mutator: Mutator;
  readonly #waiting: WaitingList;
  #link: Link | undefined;
  #violation: Violation | undefined;
  #plainAnswers = 0;

  constructor(way: Way, options: FuzzOptions, program: RealProgram) {
    this.#way = way;
    this.#options = options;
    this.#program = program;
    this.#report = newReport(`real program, ${way}`);
    this.#mutator = new Mutator(new Random(options.seed + way.length), corpusOfServers());
    this.#waiting = new WaitingList(options.seed);
  }

  async all(): Promise<StageReport> {
    const { count, progress } = this.#options;
    const report = this.#report;
    const fastBefore = await this.#program.metric(FAST);
    await this.#fillCache();
    report.memory.beforeBytes = this.#program.residentBytes();
    const startedMs = performance.now();
    for (let i = 0; i < count; i++) {
      if (i === Math.min(WARM_PACKETS, count >> 1)) report.memory.beforeBytes = this.#program.residentBytes();
      const packet = this.#mutator.bytes.slice(0, this.#mutator.next());
      await this.#send(packet, i);
      if (i % TURN_PACKETS === 0) await nextTurn();
      await this.#waitForRoom(WINDOW);
      if ((i + 1) % PROGRESS_PACKETS === 0) progress(`${report.stage}: ${i + 1}`);
    }
    report.seconds = (performance.now() - startedMs) / 1000;
    await this.#fillCache();
    const link = await this.#openLink();
    await this.#drain(link);
    this.#link = undefined;
    link.close();
    report.packets = count;
    report.silent += this.#waiting.forgotten + this.#waiting.abandon();
    if (this.#violation !== undefined) throw this.#violation;
    if (this.#way === 'udp') report.fast = (await this.#program.metric(FAST)) - fastBefore;
    report.memory.afterBytes = this.#program.residentBytes();
    this.#checkProgram(report.memory.afterBytes - report.memory.beforeBytes);
    return report;
  }

  /** Also shows at the end that service is normal: each question is answered, if need be after it was asked again. */
  async #fillCache(): Promise<void> {
    for (const question of cachedQuestions()) {
      const before = this.#plainAnswers;
      const startedMs = performance.now();
      for (let times = 0; this.#plainAnswers === before; times++) {
        const waitedMs = performance.now() - startedMs;
        if (waitedMs > MAX_PLAIN_MS)
          throw this.#violationOf(PLAIN, question, 'a plain question is not answered');
        if (waitedMs >= times * ASK_AGAIN_MS) await this.#send(Uint8Array.from(question), PLAIN);
        else times--;
        await this.#waitForRoom(WINDOW);
        await pause(1);
      }
    }
  }

  async #send(packet: Uint8Array, index: number): Promise<void> {
    const link = await this.#openLink();
    const sentMs = performance.now();
    if (packet.length < HEADER_BYTES || isReply(packet)) {
      this.#report.silent++;
    } else {
      const id = this.#waiting.enter({ index, packet, sentMs });
      packet[0] = id >> 8;
      packet[1] = id & 0xff;
    }
    link.send(packet);
  }

  async #openLink(): Promise<Link> {
    const old = this.#link;
    if (old !== undefined && !old.isClosed && old.queriesLeft-- > 0) return old;
    if (old !== undefined) await this.#drain(old);
    old?.close();
    this.#link = undefined;
    if (old !== undefined) this.#report.silent += this.#waiting.abandon();
    // A connection that is given up may still have answers for us.
    const link = await openLink(this.#way, this.#program, (reply) => {
      if (this.#link === link) this.#receive(reply);
    });
    this.#link = link;
    return link;
  }

  /**
   * Gives what was asked on a connection time to be answered: as long as upstreams that are silent are waited for, unless
   * the other end closes it before.
   */
  async #drain(link: Link): Promise<void> {
    const startedMs = performance.now();
    while (this.#waiting.all > 0 && !link.isClosed && performance.now() - startedMs < DRAIN_MS)
      await pause(1);
  }

  #receive(reply: Uint8Array): void {
    const asked = this.#waiting.take(idOf(reply));
    if (asked === undefined) {
      this.#violation ??= this.#violationOf(PLAIN, reply, 'a reply to what nobody asked, or a second one');
      return;
    }
    this.#judge(asked, reply);
  }

  #judge({ index, packet, sentMs }: Asked, reply: Uint8Array): void {
    noteTime(this.#report, performance.now() - sentMs, index);
    if (index === PLAIN) this.#plainAnswers++;
    else countRcode(this.#report, rcodeOf(reply));
    const transport = this.#way === 'udp' ? 'udp' : 'tcp';
    const fault = replyFault({ query: packet, reply, transport });
    if (fault === undefined) return;
    this.#violation ??= this.#violationOf(
      index,
      packet,
      `${fault}; reply ${Buffer.from(reply).toString('hex')}`,
    );
  }

  async #waitForRoom(window: number): Promise<void> {
    this.#waiting.review(performance.now(), TIRED_MS);
    for (let turns = 0; this.#waiting.size > window; turns++) {
      await (turns < 20 ? nextTurn() : pause(1));
      this.#waiting.review(performance.now(), TIRED_MS);
    }
    if (window === 0 && this.#waiting.all > 0) await pause(1);
    if (this.#violation !== undefined) throw this.#violation;
    if (!this.#program.isAlive) throw new Error(`The program has ended:\n${this.#program.lines.join('\n')}`);
  }

  #checkProgram(growth: number): void {
    const panic = this.#program.lines.find((line) => line.includes('panic'));
    const what = growth > MAX_GROWTH_BYTES ? `memory grew by ${growth} bytes` : panic;
    if (what !== undefined) throw this.#violationOf(this.#options.count, new Uint8Array(0), what);
  }

  #violationOf(index: number, packet: Uint8Array, what: string): Violation {
    return new Violation({ stage: this.#report.stage, seed: this.#options.seed, index, packet, what });
  }
}

/** A socket, or a connection. */
interface Link {
  readonly isClosed: boolean;
  queriesLeft: number;
  send(packet: Uint8Array): void;
  close(): void;
}

async function openLink(
  way: Way,
  { ports }: RealProgram,
  onReply: (reply: Uint8Array) => void,
): Promise<Link> {
  if (way === 'udp') return new DatagramLink(ports.dns, onReply);
  const socket =
    way === 'tcp'
      ? connectTcp(ports.dns, '127.0.0.1')
      : connectTls({ port: ports.dot, host: '127.0.0.1', rejectUnauthorized: false });
  const link = new StreamLink(socket, onReply);
  await once(socket, way === 'tcp' ? 'connect' : 'secureConnect');
  return link;
}

class DatagramLink implements Link {
  readonly isClosed = false;
  queriesLeft = Number.POSITIVE_INFINITY;
  readonly #socket: UdpSocket;
  readonly #port: number;

  constructor(port: number, onReply: (reply: Uint8Array) => void) {
    this.#port = port;
    this.#socket = createSocket({ type: 'udp4', recvBufferSize: BUFFER_BYTES });
    this.#socket.on('message', onReply);
    this.#socket.on('error', () => undefined);
  }

  send(packet: Uint8Array): void {
    this.#socket.send(packet, this.#port, '127.0.0.1', () => undefined);
  }

  close(): void {
    this.#socket.close();
  }
}

class StreamLink implements Link {
  isClosed = false;
  queriesLeft = CONNECTION_QUERIES;
  readonly #socket: Socket;

  constructor(socket: Socket, onReply: (reply: Uint8Array) => void) {
    this.#socket = socket;
    const frames = new FrameSplitter();
    socket.on('data', (chunk: Uint8Array) => {
      for (const reply of frames.push(chunk)) onReply(Uint8Array.from(reply));
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  send(packet: Uint8Array): void {
    this.#socket.write(frameMessage(packet));
  }

  /** In the middle of a frame that is announced as longer. */
  close(): void {
    if (!this.isClosed) this.#socket.write(Uint8Array.of(0xff, 0xff, 0));
    this.#socket.destroySoon();
  }
}
