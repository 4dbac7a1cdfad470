/**
 * The stage of answers from the kernel: each query goes to the packet program and to the reader of packet threads, over one
 * cache whose entries change meanwhile. What the program answers, user space answers as well and alike; what it does not
 * answer stays as it was; and of the queries that it is made for it answers nearly all. Needs root.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { TestNetwork } from '../../../src/datapath/testing/test-network.ts';
import { readPacket } from '../../../src/datapath/testing/test-packet.ts';
import { systemClock } from '../../../src/telemetry/clock.ts';
import { Random } from '../random.ts';
import { Violation } from '../violation.ts';
import { AnswerSides, SERVER_ENDS, type ServerEnd } from './answer-sides.ts';
import { AnswerTally } from './answer-tally.ts';
import { type DrawnFrame, drawFrame } from './drawn-frame.ts';
import { type DrawnQuery, drawQuery, PLAIN_KINDS } from './drawn-query.ts';
import { frameFault, messageFault, mustPass, userSpaceReply, wasPassed } from './judge-answer.ts';
import { drawAnswer, drawOrigin, type Origin, type StoredAnswer } from './stored-answers.ts';

export interface AnswersRun {
  readonly seed: number;
  readonly count: number;
  readonly progress: (text: string) => void;
}

const STAGE = 'answers from the kernel';
const NAMES = 4000;
/** Room for those that rest. */
const SLOTS = 24_000;
const QUERIES_PER_CHANGE = 20;
const QUERIES_PER_TURN = 1000;
const REPORT_EVERY = 100_000;
/** The two clocks are laid beside each other with less care than this. */
const SLACK_MS = 0.05;

/** In a namespace of its own. Throws a `Violation` with the first query that is answered wrongly. */
export async function fuzzAnswers(run: AnswersRun): Promise<AnswerTally> {
  const network = new TestNetwork('answer-sides');
  try {
    const directory = network.mountBpffs();
    network.enterNode();
    const sides = new AnswerSides(directory, SLOTS);
    try {
      return await compareSides(sides, run);
    } finally {
      sides.close();
    }
  } finally {
    await network.close();
  }
}

async function compareSides(sides: AnswerSides, { seed, count, progress }: AnswersRun): Promise<AnswerTally> {
  const run = new Differential(sides, seed);
  await run.fill();
  const started = performance.now();
  for (let i = 0; i < count; i++) {
    run.ask(i);
    if (i % QUERIES_PER_TURN === QUERIES_PER_TURN - 1) await turn();
    if (i % REPORT_EVERY === REPORT_EVERY - 1) progress(`${STAGE}: ${i + 1} of ${count}`);
  }
  run.tally.seconds = (performance.now() - started) / 1000;
  return run.tally;
}

class Differential {
  readonly tally = new AnswerTally();
  readonly #sides: AnswerSides;
  readonly #seed: number;
  readonly #random: Random;
  readonly #origins: Origin[] = [];
  readonly #stored: StoredAnswer[] = [];

  constructor(sides: AnswerSides, seed: number) {
    this.#sides = sides;
    this.#seed = seed;
    this.#random = new Random(seed);
  }

  /** One half before there is a shelf, the other one after. */
  async fill(): Promise<void> {
    const names = new Set<string>();
    for (let i = 0; i < NAMES; i++) {
      if (i === NAMES / 2) this.#sides.useShelf();
      const origin = drawOrigin(this.#random, this.#random.below(2));
      // What is asked for must be what was stored last under its name.
      const name = Buffer.from(origin.name).toString('latin1').toLowerCase();
      if (names.has(name)) continue;
      names.add(name);
      this.#add(origin);
      // The other listener's is another answer, maybe of the same type.
      if (origin.zone.shared !== true && this.#random.below(3) === 0)
        this.#add({
          ...origin,
          listener: 1 - origin.listener,
          kind: this.#random.pick([origin.kind, 'A', 'AAAA']),
        });
    }
    await this.#sides.settle();
  }

  #add(origin: Origin): void {
    const stored = drawAnswer(this.#random, origin, systemClock.monotonicMs());
    this.#sides.store(stored);
    this.#origins.push(origin);
    this.#stored.push(stored);
  }

  ask(index: number): void {
    const random = this.#random;
    if (index % QUERIES_PER_CHANGE === 0) this.#change();
    const stored = random.pick(this.#stored);
    const end = this.#endFor(stored);
    const query = drawQuery(random, stored);
    const isBarred = random.below(50) === 0;
    const ends = {
      ...{ source: isBarred ? end.barred : end.client, sourcePort: 1024 + random.below(64_512) },
      ...{ destination: end.address, destinationPort: 53 },
    };
    const frame = drawFrame(random, ends, query.bytes);
    const fault = this.#judge({ stored, end, query, frame, isBarred });
    if (fault === undefined) return;
    const what = `${query.kind} for ${stored.kind} in ${stored.zone.zone}., ${frame.kind}, IPv${end.family}: ${fault}`;
    throw new Violation({ stage: STAGE, seed: this.#seed, index, packet: frame.bytes, what });
  }

  /** Another answer under the name, or none for a while. */
  #change(): void {
    const at = this.#random.below(this.#stored.length);
    const [origin, before] = [this.#origins[at], this.#stored[at]];
    if (origin === undefined || before === undefined) return;
    this.#sides.remove(before);
    const stored = drawAnswer(this.#random, origin, systemClock.monotonicMs());
    this.#stored[at] = stored;
    if (this.#random.below(20) !== 0) this.#sides.store(stored);
  }

  /** Mostly the listener that has it: the other one has answers under that name only where they share them. */
  #endFor({ listener }: StoredAnswer): ServerEnd {
    const wanted = this.#random.below(20) === 0 ? 1 - listener : listener;
    const family = this.#random.below(2) === 0 ? 4 : 6;
    return (
      SERVER_ENDS.find((end) => end.listener === wanted && end.family === family) ??
      this.#random.pick(SERVER_ENDS)
    );
  }

  #judge(asked: Asked): string | undefined {
    const { end, frame, isBarred } = asked;
    const beforeMs = systemClock.monotonicMs();
    const result = this.#sides.run(frame.bytes);
    const afterMs = systemClock.monotonicMs();
    const moments = { beforeMs: beforeMs - SLACK_MS, afterMs: afterMs + SLACK_MS };
    if (wasPassed(frame.bytes, result)) {
      this.#notePassed(asked, moments);
      return undefined;
    }
    if (isBarred) return 'its sender may not be answered';
    if (mustPass(frame.kind, end.family)) return `it is no plain packet; it became ${hex(result.packet)}`;
    const fault =
      frameFault(frame.bytes, result, end) ??
      this.#messageFault(asked, moments, readPacket(result.packet).payload);
    return fault && `${fault}; the reply is ${hex(result.packet)}`;
  }

  /** Undefined when it is what user space says at any moment between the two. */
  #messageFault(
    { end, query, stored, frame }: Asked,
    { beforeMs, afterMs }: Moments,
    reply: Uint8Array,
  ): string | undefined {
    // Of a padded frame the query is not all that follows the UDP header.
    const mayRotate = stored.zone.shuffle === true;
    let first: string | undefined;
    for (let atMs = afterMs; ; atMs = Math.max(atMs - 500, beforeMs)) {
      const ask = (inOrder: boolean) => this.#userSpace(query.bytes, end, atMs, inOrder);
      const inOrder = ask(true);
      const fault = messageFault(reply, { inOrder, drawn: ask(false) }, mayRotate);
      if (fault === undefined) {
        const isTurned = inOrder !== undefined && Buffer.compare(reply, inOrder) !== 0;
        this.tally.answered({
          query: query.kind,
          stored: stored.kind,
          frame: frame.kind,
          family: end.family,
          isTurned,
        });
        this.#noteDue({ end, query, stored, frame, isBarred: false }, { beforeMs, afterMs }, true);
        return undefined;
      }
      first ??= fault;
      if (atMs <= beforeMs) return first;
    }
  }

  #userSpace(query: Uint8Array, end: ServerEnd, atMs: number, inOrder: boolean): Uint8Array | undefined {
    return userSpaceReply(query, end, (bare) => this.#sides.answer(bare, end, atMs, inOrder));
  }

  #notePassed(asked: Asked, moments: Moments): void {
    this.tally.passed({
      query: asked.query.kind,
      stored: asked.stored.kind,
      frame: asked.frame.kind,
      family: asked.end.family,
    });
    this.#noteDue(asked, moments, false);
  }

  /** Counts what the kernel is made for, had, and user space would have answered all the while. */
  #noteDue(
    { end, query, stored, frame, isBarred }: Asked,
    { beforeMs, afterMs }: Moments,
    wasAnswered: boolean,
  ): void {
    if (isBarred || !PLAIN_KINDS.includes(query.kind) || mustPass(frame.kind, end.family)) return;
    if (
      !stored.isMirrored ||
      end.listener !== stored.listener ||
      !['whole', 'no checksum'].includes(frame.kind)
    )
      return;
    if (!wasAnswered) {
      for (const atMs of [beforeMs, afterMs])
        if (this.#userSpace(query.bytes, end, atMs, false) === undefined) return;
    }
    this.tally.due([query.kind, stored.kind, stored.zone.zone, `IPv${end.family}`], wasAnswered);
  }
}

interface Asked {
  readonly stored: StoredAnswer;
  readonly end: ServerEnd;
  readonly query: DrawnQuery;
  readonly frame: DrawnFrame;
  readonly isBarred: boolean;
}

interface Moments {
  readonly beforeMs: number;
  readonly afterMs: number;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
