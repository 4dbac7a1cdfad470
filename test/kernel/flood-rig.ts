/**
 * The real program under a flood: an upstream that is as slow as the story wants, a client that asks for cached names at
 * an even pace all the while, and what the program takes of memory.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../../src/net/testing/free-ports.ts';
import { RealProgram } from '../fuzz/real-program.ts';
import { FORGED, replyFault } from '../fuzz/wire/judge-reply.ts';
import { buildPacket } from '../fuzz/wire/packet-builder.ts';
import { idOf, rcodeOf } from '../fuzz/wire/wire-fields.ts';

/** Names that are in the cache before the flood begins. */
const CACHED = 100;
const PACED_MS = 5;
/** As long as a resolver waits. */
const LAST_ANSWERS_MS = 5000;
/** A sender that was kept from the processor makes up for some of it: what a socket's buffer holds, not more. */
const MAX_BURST = 300;
const BUFFER_BYTES = 4 << 20;
const HEADER_BYTES = 12;
/** A, IN, 300 seconds, 192.0.2.1, owned by the question's name. */
const ANSWER = [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1];
/** SOA of the root, 300 seconds. */
const DENIAL = [0, 0, 6, 0, 1, 0, 0, 1, 44, 0, 22, 0, 0, ...Array(19).fill(0), 60];

/** What is asked of it stands in the first letters of a name: `slow…`, `none…`, or anything else for an answer. */
export class FloodUpstream {
  readonly port: number;
  asked = 0;
  /** The youngest questions and where they came from; the youngest last. */
  readonly questions: { readonly bytes: Uint8Array; readonly from: RemoteInfo }[] = [];
  readonly #socket: Socket;
  readonly #slowMs: number;

  private constructor(socket: Socket, { port, slowMs }: { port: number; slowMs: number }) {
    this.port = port;
    this.#socket = socket;
    this.#slowMs = slowMs;
    socket.on('message', (bytes, from) => this.#receive(bytes, from));
    socket.on('error', () => undefined);
  }

  static async start({ slowMs = 0 }: { slowMs?: number } = {}): Promise<FloodUpstream> {
    const port = await freePort();
    const socket = createSocket({ type: 'udp4', recvBufferSize: BUFFER_BYTES }).bind(port, '127.0.0.1');
    await once(socket, 'listening');
    return new FloodUpstream(socket, { port, slowMs });
  }

  /** From the very address that the forwarder listens to. */
  send(bytes: Uint8Array, { port, address }: RemoteInfo): void {
    this.#socket.send(bytes, port, address, () => undefined);
  }

  close(): void {
    this.#socket.close();
  }

  #receive(bytes: Uint8Array, from: RemoteInfo): void {
    this.asked++;
    this.questions.push({ bytes, from });
    this.questions.splice(0, this.questions.length - 64);
    const first = Buffer.from(bytes.subarray(HEADER_BYTES + 1, HEADER_BYTES + 5)).toString('latin1');
    const reply = replyTo(bytes, first === 'none');
    if (first === 'slow') setTimeout(() => this.send(reply, from), this.#slowMs);
    else this.send(reply, from);
  }
}

/** An answer to this question; under another ID it is nobody's. */
export function forgeryOf(question: Uint8Array): Uint8Array {
  const text = [FORGED.length, ...FORGED];
  const record = [0xc0, 12, 0, 16, 0, 1, 0, 0, 1, 44, 0, text.length, ...text];
  const reply = Uint8Array.from([...replyTo(question, false), ...record]);
  reply[7] = 2;
  return reply;
}

function replyTo(query: Uint8Array, isDenial: boolean): Uint8Array {
  let end = HEADER_BYTES;
  while ((query[end] ?? 0) > 0) end += (query[end] ?? 0) + 1;
  end += 5;
  const reply = Uint8Array.from([...query.subarray(0, end), ...(isDenial ? DENIAL : ANSWER)]);
  reply.set([(reply[2] ?? 0) | 0x80, isDenial ? 0x83 : 0x80], 2);
  reply.set([0, isDenial ? 0 : 1, 0, isDenial ? 1 : 0, 0, 0], 6);
  return reply;
}

/** One that asks and counts, on a socket of its own so that a flood's replies are not in its way. */
export class Asker {
  asked = 0;
  readonly rcodes = new Map<number, number>();
  /** Replies that are none to what was asked. */
  readonly faults: string[] = [];
  readonly #socket = createSocket({ type: 'udp4', recvBufferSize: BUFFER_BYTES });
  readonly #port: number;
  readonly #queries = new Map<number, Uint8Array>();

  constructor(port: number) {
    this.#port = port;
    this.#socket.on('error', () => undefined);
    this.#socket.on('message', (reply: Uint8Array) => this.#receive(reply));
  }

  get answered(): number {
    return [...this.rcodes.values()].reduce((sum, count) => sum + count, 0);
  }

  ask(name: string): void {
    const query = buildPacket({ name });
    const id = this.asked++ & 0xffff;
    query.set([id >> 8, id & 0xff]);
    this.#queries.set(id, query);
    this.#socket.send(query, this.#port, '127.0.0.1', () => undefined);
  }

  /** Whatever bytes: nothing is expected. */
  throw(bytes: Uint8Array): void {
    this.#socket.send(bytes, this.#port, '127.0.0.1', () => undefined);
  }

  /** Asks again every second, as clients do; the rcode, or a rejection after so many times. */
  async askOnce(name: string, times = 10): Promise<number> {
    const before = this.answered;
    for (let i = 0; i < times; i++) {
      this.ask(name);
      for (let polls = 0; polls < 500 && this.answered === before; polls++) await pause(2);
      if (this.answered > before) return [...this.rcodes.keys()].at(-1) ?? -1;
    }
    throw new Error(`no answer for ${name}`);
  }

  close(): void {
    this.#socket.close();
  }

  #receive(reply: Uint8Array): void {
    const query = this.#queries.get(idOf(reply));
    if (query === undefined) return;
    this.#queries.delete(idOf(reply));
    const fault = replyFault({ query, reply, transport: 'udp' });
    if (fault !== undefined) this.faults.push(fault);
    const rcode = rcodeOf(reply);
    const count = this.rcodes.get(rcode) ?? 0;
    this.rcodes.delete(rcode);
    this.rcodes.set(rcode, count + 1);
  }
}

export interface Flood {
  readonly lastsMs: number;
  /** Called every few milliseconds with how many are due since the last call, at `perSecond`. */
  readonly perSecond: number;
  readonly send: (count: number) => void;
}

export interface FloodOutcome {
  readonly cachedAsked: number;
  readonly cachedAnswered: number;
  readonly grownMb: number;
  readonly faults: readonly string[];
}

export interface Stage {
  readonly program: RealProgram;
  readonly upstream: FloodUpstream;
  /** What the flood is sent by. */
  readonly flooder: Asker;
  close(): Promise<void>;
}

/** The program with an upstream that takes `slowMs` for names that begin with `slow`, and a full cache. */
export async function openStage(slowMs: number): Promise<Stage> {
  const upstream = await FloodUpstream.start({ slowMs });
  const program = await RealProgram.start({
    corefile: ({ dns, dot, metrics }, { cert, key }) => `.:${dns} tls://.:${dot} {
  bind 127.0.0.1
  tls ${cert} ${key}
  prometheus 127.0.0.1:${metrics}
  cache 300
  forward . 127.0.0.1:${upstream.port}
}
`,
  });
  const flooder = new Asker(program.ports.dns);
  await fillCache(program.ports.dns);
  return {
    program,
    upstream,
    flooder,
    async close() {
      flooder.close();
      await program.close();
      upstream.close();
    },
  };
}

export const cachedName = (i: number) => `cached${i % CACHED}.flood.test`;

/** Every name is asked until it is answered: packet threads have them from then on. */
async function fillCache(port: number): Promise<void> {
  const asker = new Asker(port);
  for (let i = 0; i < CACHED; i++) await asker.askOnce(cachedName(i));
  asker.close();
}

/** Asks for cached names at an even pace while the flood lasts, and waits for the last answers. */
export async function underFlood(program: RealProgram, flood: Flood): Promise<FloodOutcome> {
  const before = program.residentBytes();
  const client = new Asker(program.ports.dns);
  const startedMs = performance.now();
  let sent = 0;
  for (let ms = 0; ms < flood.lastsMs; ms = performance.now() - startedMs) {
    const due = Math.floor((ms * flood.perSecond) / 1000) - sent;
    flood.send(Math.min(due, MAX_BURST));
    sent += due;
    // The flood's sender may need longer than its turn.
    while (client.asked < ms / PACED_MS) client.ask(cachedName(client.asked));
    await pause(PACED_MS);
  }
  for (let waited = 0; waited < LAST_ANSWERS_MS && client.answered < client.asked; waited += PACED_MS)
    await pause(PACED_MS);
  const grownMb = (program.residentBytes() - before) / 1_048_576;
  client.close();
  const { asked: cachedAsked, answered: cachedAnswered, faults } = client;
  return { cachedAsked, cachedAnswered, grownMb, faults };
}
