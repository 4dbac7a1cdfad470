/**
 * Floods of datagrams against the real program: what is in the cache is still answered, by packet threads that do not care
 * what the main thread has to do; memory stays bounded; and afterwards all is as before.
 */
import { afterEach, expect, it } from 'vitest';
import { corpus } from '../fuzz/corpus.ts';
import { Mutator } from '../fuzz/mutator.ts';
import { Random } from '../fuzz/random.ts';
import { Asker, cachedName, type Flood, forgeryOf, openStage, type Stage, underFlood } from './flood-rig.ts';

const LASTS_MS = 4000;
const SLOW_MS = 1500;
const RCODE_NOERROR = 0;

let stage: Stage | undefined;
afterEach(() => stage?.close());

function floodOf(perSecond: number, send: (i: number) => void): Flood {
  let sent = 0;
  return {
    lastsMs: LASTS_MS,
    perSecond,
    send: (count) => {
      for (let i = 0; i < count; i++) send(sent++);
    },
  };
}

/** With true questions for the forged answers to be to, under every ID but the right one. */
function spoofs({ flooder, upstream }: Stage): Flood {
  const random = new Random(1);
  const forged = new WeakMap<Uint8Array, Uint8Array>();
  return floodOf(10_000, (i) => {
    if (i % 100 === 0) flooder.ask(`slow${i}.flood.test`);
    const { bytes, from } = random.pick(upstream.questions);
    const forgery = forged.get(bytes) ?? forgeryOf(bytes);
    forged.set(bytes, forgery);
    const change = 1 + random.below(0xffff);
    const copy = forgery.slice();
    copy.set([(copy[0] ?? 0) ^ (change >> 8), (copy[1] ?? 0) ^ (change & 0xff)]);
    upstream.send(copy, from);
  });
}

function garbage({ flooder }: Stage): Flood {
  const mutator = new Mutator(new Random(1), corpus());
  return floodOf(20_000, () => flooder.throw(mutator.bytes.slice(0, mutator.next())));
}

/**
 * Bounds in megabytes. Queries under way: 16,384 of them at most (`MAX_IN_FLIGHT`), each with its message, promises, a
 * timer and a place among those that wait for the upstream, some 10 KB, and what the collector has not looked at yet.
 * Denials: 9,984 entries in memory that is set aside, but touched only now. Forged packets leave nothing.
 */
const FLOODS: readonly [string, (stage: Stage) => Flood, number][] = [
  [
    'names that nobody has asked before, and a slow upstream',
    ({ flooder }) => floodOf(3000, (i) => flooder.ask(`slow${i}.flood.test`)),
    256,
  ],
  ['names that do not exist', ({ flooder }) => floodOf(3000, (i) => flooder.ask(`none${i}.flood.test`)), 160],
  ['20,000 packets of garbage a second', garbage, 160],
  ['10,000 forged answers a second to the sockets that ask upstream', spoofs, 128],
];

it.each(FLOODS)('%s', async (_name, floodFor, mostMb) => {
  stage = await openStage(SLOW_MS);
  const { flooder, program } = stage;
  const outcome = await underFlood(program, floodFor(stage));
  expect(outcome.cachedAnswered / outcome.cachedAsked).toBeGreaterThanOrEqual(0.99);
  expect([...outcome.faults, ...flooder.faults]).toEqual([]);
  expect(outcome.grownMb).toBeLessThan(mostMb);
  expect(program.isAlive).toBe(true);
  const client = new Asker(program.ports.dns);
  expect(await client.askOnce('fresh.flood.test')).toBe(RCODE_NOERROR);
  expect(await client.askOnce(cachedName(1))).toBe(RCODE_NOERROR);
  client.close();
  expect(program.lines.filter((line) => line.includes('panic'))).toEqual([]);
});
