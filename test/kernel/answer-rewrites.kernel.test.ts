/**
 * Hot names are rewritten in the answer map as fast as the real writer can, while a pod asks for them as fast as it can: every
 * answer is one that its name had, and none is older than one before it. Needs root. `ANSWER_QUERIES=1000000` asks so often.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnswerMirror, createAnswerMirror } from '../../src/answermap/answer-mirror.ts';
import { mapShelf, type ShelfMemory } from '../../src/answermap/shelf-memory.ts';
import type { Datapath } from '../../src/datapath/datapath.ts';
import { toIp } from '../../src/datapath/testing/conformance.ts';
import { RedirectRig, VIP } from '../../src/datapath/testing/redirect-rig.ts';
import { type Name, parseName } from '../../src/dns/name.ts';
import { parsePort } from '../../src/net/port.ts';
import { systemClock } from '../../src/telemetry/clock.ts';
import { createAnswerCache } from '../../src/wirecache/answer-cache.ts';
import type { Partition, WireAnswer } from '../../src/wirecache/contract.ts';
import { answerOf } from '../../src/wirecache/testing/answers.ts';
import { HOT_NAMES, hotName, TXT, writeRecordData } from './rewritten-answers.ts';
import type { ClientReport } from './rewritten-client.ts';

const QUERIES = Number(process.env.ANSWER_QUERIES ?? 200_000);
const CLIENT = join(import.meta.dirname, 'rewritten-client.ts');
const VIEW = 3;
const CACHE_BYTES = 8 << 20;
/** Between two looks at what else there is to do. */
const WRITES_PER_TURN = 256;
const TTL_SECONDS = 300;

let rig: RedirectRig;
let datapath: Datapath;
let memory: ShelfMemory;
let mirror: AnswerMirror;
let partition: Partition;
let versions: number[];

async function open(answerEntries: number): Promise<void> {
  datapath = rig.openDatapath({ answerEntries });
  const shelf = datapath.openShelf();
  const port = parsePort('53');
  if (shelf === undefined || port === undefined) throw new Error('There is no shelf');
  const [index, small, large] = shelf.fds;
  memory = mapShelf([index, small, large], shelf);
  const cache = createAnswerCache({ budgetBytes: CACHE_BYTES, random: Math.random });
  partition = cache.open({
    ...{ successEntries: 1024, denialEntries: 1024, keepTtl: false, prefetch: undefined },
  });
  mirror = createAnswerMirror({ cache, clock: systemClock });
  const copied = { partition: partition.id, shuffle: false, limitBytes: undefined, logged: false };
  mirror.replaceListeners([{ view: VIEW, routes: [{ zone: name('.'), copied }] }]);
  mirror.useShelf(memory);
  datapath.setAnswerSource({
    address: toIp(rig.backend.address),
    port,
    from: { shelf: shelf.number, view: VIEW },
  });
  await datapath.apply(rig.spec({ answers: true }));
}

function name(text: string): Name {
  const parsed = parseName(text);
  if (parsed === undefined) throw new Error(`Not a name: ${text}`);
  return parsed;
}

const keys = Array.from({ length: HOT_NAMES }, (_, i) => ({
  ...{ name: name(hotName(i)), type: TXT, class: 1, dnssecOk: false, checkingDisabled: false },
}));

/** Made once: what takes time here keeps the writer from writing. */
const answers = keys.map((key, index): WireAnswer => {
  const rdata = writeRecordData(index, 0);
  return answerOf([{ name: key.name, type: TXT, class: 1, ttlSeconds: TTL_SECONDS, rdata }]);
});

function rewrite(index: number): void {
  const [key, answer] = [keys[index], answers[index]];
  if (key === undefined || answer === undefined) return;
  const version = (versions[index] ?? 0) + 1;
  versions[index] = version;
  const data = writeRecordData(index, version);
  answer.records.set(data, answer.records.length - data.length);
  partition.insert(key, 'success', { ...answer, storedMs: systemClock.monotonicMs() });
}

function startClient(queries: number): {
  readonly report: Promise<ClientReport>;
  readonly isOver: () => boolean;
} {
  const child = rig.network.spawn(rig.client.netns, process.execPath, CLIENT, VIP, String(queries));
  const said: string[] = [];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => said.push(text));
  const report = once(child, 'close').then(() => JSON.parse(said.join('')) as ClientReport);
  return { report, isOver: () => child.exitCode !== null || child.signalCode !== null };
}

beforeEach(async () => {
  versions = new Array(HOT_NAMES).fill(0);
  rig = await RedirectRig.open('rewrites');
});

afterEach(async () => {
  mirror.close();
  memory.close();
  datapath.remove();
  await rig.close();
});

describe('answers that are rewritten while they are given', () => {
  it.each([
    { title: 'with a slot for every change', entries: 100_000, leastShare: 0.9 },
    // What was taken out rests for a second, so a name has no answer for most of the time.
    { title: 'with far too few slots', entries: 1000, leastShare: 0 },
  ])('$title', { timeout: 600_000 }, async ({ entries, leastShare }) => {
    await open(entries);
    for (let index = 0; index < HOT_NAMES; index++) rewrite(index);
    const before = datapath.counters();
    const { report, isOver } = startClient(QUERIES);
    let writes = 0;
    while (!isOver()) {
      for (let i = 0; i < WRITES_PER_TURN; i++) rewrite(writes++ % HOT_NAMES);
      await turn();
    }
    const client = await report;
    const after = datapath.counters();
    const torn = after.answersTorn - before.answersTorn;
    const written = mirror.stats.written;
    console.log(
      `${client.asked} asked, ${client.answered} answered by the kernel, ${client.changes} changes seen, ` +
        `${client.others} by the server, ${client.lost} lost; ${writes} rewrites, ${written} in the map; torn: ${torn}`,
    );
    expect(client.faults).toEqual([]);
    expect(client.asked).toBeGreaterThanOrEqual(QUERIES);
    expect(client.answered).toBeGreaterThan(leastShare * client.asked);
    const byKernel = Number(after.answered - before.answered);
    expect(Math.abs(byKernel - client.answered)).toBeLessThanOrEqual(client.lost);
    expect(client.changes).toBeGreaterThan(HOT_NAMES);
    for (let index = 0; index < HOT_NAMES; index++) {
      expect(client.versions[index]).toBeLessThanOrEqual(versions[index] ?? 0);
    }
  });
});
