/**
 * An agent that is killed between any two writes, and the one after it: at no moment does a frontend in the kernel lead to
 * nothing, to a backend that was never its own, or by another's verdict, and none is answered by who is no backend of it;
 * nothing is left over at the end.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ANSWER_SOURCE_SIZE } from '../../answermap/answer-abi.gen.ts';
import { ipFromBytes } from '../../net/ip.ts';
import type { Frontend } from '../../policy/table.ts';
import { u32Bytes } from '../../sys/bpf-map.ts';
import { AnswerSources } from '../answers/answer-sources.ts';
import { sourceRows } from '../answers/map-rows.ts';
import { redirectedFrontend } from '../testing/conformance.ts';
import { FakePlaces } from '../testing/fake-places.ts';
import { MemoryMap } from '../testing/memory-map.ts';
import {
  decodeBackend,
  decodeFrontend,
  decodeFrontendKey,
  decodeFrontendSlots,
  decodeHealth,
  FRONTEND_SLOTS_SIZE,
  HEALTH_SIZE,
} from './abi.gen.ts';
import { FrontendRows } from './frontend-rows.ts';
import { HealthTable } from './health-table.ts';
import { KernelTable } from './kernel-table.ts';

const KILLED = 'killed';
const PLACES = 6;
const NONE = new Set<string>();
const log = { warning: () => undefined };

/** Which backends each frontend leads to, by their numbers. */
type Wanted = Readonly<Record<string, readonly number[]>>;

class KilledMap extends MemoryMap {
  readonly #beforeWrite: () => void;
  readonly #afterWrite: () => void;

  constructor(beforeWrite: () => void, afterWrite: () => void, arrayValueBytes?: number) {
    super(arrayValueBytes);
    this.#beforeWrite = beforeWrite;
    this.#afterWrite = afterWrite;
  }

  override update(key: Uint8Array, value: Uint8Array): void {
    this.#beforeWrite();
    super.update(key, value);
    this.#afterWrite();
  }

  override delete(key: Uint8Array): boolean {
    this.#beforeWrite();
    const deleted = super.delete(key);
    this.#afterWrite();
    return deleted;
  }
}

class Node {
  readonly #places = new FakePlaces();
  readonly #sick = Array.from({ length: PLACES }, (_, i) => i)
    .filter(isSick)
    .map((i) => ipOf(10, i));
  readonly #allowed = new Map<string, Set<string>>();
  readonly maps;
  writesLeft = Number.POSITIVE_INFINITY;

  constructor() {
    const make = (bytes?: number) =>
      new KilledMap(
        () => this.#mayWrite(),
        () => this.#check(),
        bytes,
      );
    this.maps = {
      frontends: make(),
      slots: make(FRONTEND_SLOTS_SIZE),
      backends: make(),
      health: make(HEALTH_SIZE),
      sources: make(ANSWER_SOURCE_SIZE),
    };
    for (let i = 0; i < PLACES; i++) this.#places.put(ipOf(10, i), 100 + i);
  }

  /**
   * One agent's life: it brings the kernel to each of these in turn. False when it was killed before the end. Caches speak to
   * it or have not found it yet.
   */
  live(specs: readonly Wanted[], { writes = Number.POSITIVE_INFINITY, isSpokenTo = true } = {}): boolean {
    this.writesLeft = writes;
    try {
      const health = new HealthTable(this.maps.health);
      const sources = new AnswerSources(sourceRows(this.maps.sources), () => true);
      const table = new KernelTable(this.maps, health, { sources });
      const rows = new FrontendRows({ places: this.#places, table, log, now: () => 0 });
      for (const spec of specs) {
        rows.apply(this.#allow(spec), NONE, false);
        // What fails in one row is kept there: an agent that is dead does not come as far as the next.
        if (this.writesLeft <= 0) return false;
        rows.prune();
        for (const to of isSpokenTo ? CACHES : [])
          sources.set({ ...placeOf(to), from: { shelf: to + 1, view: 1 } });
        for (const to of Object.values(spec).flat().filter(isSick))
          health.set({ ...placeOf(to), down: 'no answer' });
      }
      return true;
    } catch (error) {
      if (error instanceof Error && error.message === KILLED) return false;
      throw error;
    } finally {
      this.writesLeft = Number.POSITIVE_INFINITY;
    }
  }

  /** Which cache answers each frontend. */
  answering(): Readonly<Record<string, number>> {
    const { frontends, sources } = this.maps;
    const rows = frontends.keys().flatMap((key) => {
      const [, , , name] = decodeFrontendKey(new DataView(key.buffer)).address.subarray(12);
      const value = frontends.lookup(key);
      const from = value && sourceRows(sources).read(decodeFrontend(value).id);
      return from === undefined ? [] : [[String(name), from.shelf - 1] as const];
    });
    return Object.fromEntries(rows);
  }

  left(): { readonly frontends: number; readonly backends: number; readonly down: number } {
    const { frontends, backends } = this.maps;
    const down = backends.keys().filter((key) => this.#healthOf(key).down !== 0).length;
    return { frontends: frontends.size, backends: backends.size, down };
  }

  /** Of an entry of the backends map: its address, and what stands in its row. */
  #healthOf(key: Uint8Array): { readonly address: string; readonly down: number } {
    const value = this.maps.backends.lookup(key);
    if (value === undefined) throw new Error('It has gone');
    const { address, health } = decodeBackend(value);
    const row = this.maps.health.lookup(u32Bytes(health));
    return { address: ipFromBytes(address), down: row === undefined ? 0 : decodeHealth(row).down };
  }

  #allow(spec: Wanted): readonly Frontend[] {
    return Object.entries(spec).map(([name, to]) => {
      const frontend = redirectedFrontend(
        ipOf(96, Number(name)),
        'UDP',
        to.map((i) => ipOf(10, i)),
      );
      const allowed = this.#allowed.get(frontend.address) ?? new Set();
      for (const { address } of frontend.backends) allowed.add(address);
      this.#allowed.set(frontend.address, allowed);
      return frontend;
    });
  }

  #mayWrite(): void {
    if (this.writesLeft <= 0) throw new Error(KILLED);
    this.writesLeft--;
  }

  #check(): void {
    const { frontends, slots, backends, sources } = this.maps;
    for (const key of frontends.keys()) {
      const value = frontends.lookup(key);
      const source = value && sourceRows(sources).read(decodeFrontend(value).id);
      const slot = value && slots.lookup(u32Bytes(decodeFrontend(value).id));
      const { count, backends: ids } = slot ? decodeFrontendSlots(slot) : { count: 0, backends: [] };
      const found = ids.slice(0, count).map((id) => backends.lookup(u32Bytes(id)));
      const addresses = found.map((row) => row && ipFromBytes(decodeBackend(row).address));
      const name = ipFromBytes(decodeFrontendKey(new DataView(key.buffer)).address);
      // After each write of thousands of lives: `expect` itself would be most of the work.
      const isAllowed = addresses.every((address) => address && this.#allowed.get(name)?.has(address));
      if (count === 0 || !isAllowed) expect.fail(`${name} leads to ${addresses}`);
      // Between the two writes of its slots, those that come stand behind those that are counted.
      const coming = ids.flatMap((id) => (id === 0 ? [] : [backends.lookup(u32Bytes(id))]));
      const known = coming.map((row) => row && ipFromBytes(decodeBackend(row).address));
      if (source !== undefined && !known.includes(ipOf(10, source.shelf - 1)))
        expect.fail(`${name} leads to ${known} and is answered by ${source.shelf - 1}`);
    }
    for (const { address, down } of backends.keys().map((key) => this.#healthOf(key)))
      if (down !== 0) expect(this.#sick).toContain(address);
  }
}

/** Those of the others have no answers. */
const CACHES = [0, 1, 3];

/** The others never get a verdict. */
function isSick(i: number): boolean {
  return i % 2 === 0;
}

function ipOf(net: number, i: number) {
  return ipFromBytes(Uint8Array.of(10, net, 0, i));
}

function placeOf(i: number) {
  const [backend] = redirectedFrontend(ipOf(96, 0), 'UDP', [ipOf(10, i)]).backends;
  if (backend === undefined) throw new Error('A frontend without its backend');
  return { address: backend.address, port: backend.port };
}

const wanted: fc.Arbitrary<Wanted> = fc.dictionary(
  fc.constantFrom('1', '2', '3'),
  fc.uniqueArray(fc.integer({ min: 0, max: PLACES - 1 }), { minLength: 1, maxLength: 4 }),
);

test('an agent may be killed between any two writes, and so may the next', { timeout: 60_000 }, () => {
  const end = fc.record({ writes: fc.integer({ min: 0, max: 25 }), isSpokenTo: fc.boolean() });
  const life = fc.tuple(fc.array(wanted, { minLength: 1, maxLength: 3 }), end);
  fc.assert(
    fc.property(fc.array(life, { minLength: 1, maxLength: 4 }), wanted, (lives, last) => {
      const node = new Node();
      for (const [specs, how] of lives) node.live(specs, how);
      expect(node.live([last])).toBe(true);
      const to = [...new Set(Object.values(last).flat())];
      expect(node.left()).toEqual({
        frontends: Object.keys(last).length,
        backends: to.length,
        down: to.filter(isSick).length,
      });
      const first = Object.entries(last).map(([name, ids]) => [name, ids.find((i) => CACHES.includes(i))]);
      expect(node.answering()).toEqual(Object.fromEntries(first.filter(([, i]) => i !== undefined)));
    }),
    { numRuns: 300 },
  );
});
