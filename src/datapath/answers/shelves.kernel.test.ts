/**
 * Shelves in a real kernel: memory that a process writes without a system call, that outlives whoever made it, of which
 * an agent that is killed leaves nothing unfinished, and which goes with the rest. Needs root.
 */
import { existsSync, readdirSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ANSWER_LAYOUT, decodeAnswerHead } from '../../answermap/answer-abi.gen.ts';
import { mapShape, openPinned } from '../../sys/bpf.ts';
import { BpfMap, type MapEntries, u32Bytes } from '../../sys/bpf-map.ts';
import { openLibc, PROT_READ, PROT_WRITE } from '../../sys/libc.ts';
import type { AnswerShelf, Datapath } from '../datapath.ts';
import { decodeEndpoint, ENDPOINT_ANSWERED, encodeEndpointKey } from '../kernel/abi.gen.ts';
import { openMaps, openPins } from '../kernel/pins.ts';
import { POD_OBJECT } from '../kernel/programs.gen.ts';
import { removeDatapath } from '../open-datapath.ts';
import { DNS_PORT, toIp } from '../testing/conformance.ts';
import { RedirectRig } from '../testing/redirect-rig.ts';
import { TestNetwork } from '../testing/test-network.ts';
import { AnswerShelves } from './answer-shelves.ts';
import { KernelShelfStore, type ShelfPins } from './kernel-shelf-store.ts';
import { openPinDirectory } from './open-pin-directory.ts';
import { OUTER_MAPS, SHELF_PARTS, type ShelfPart } from './shelf-layout.ts';

const ENTRIES = 1000;
const SMALL_BYTES = 448;

function openShelf(from: { openShelf(): AnswerShelf | undefined }): AnswerShelf {
  const shelf = from.openShelf();
  if (shelf === undefined) throw new Error('No shelf');
  return shelf;
}

/** As a process maps what it was given. */
function mapMemory(fd: number, length: number) {
  const mapping = openLibc().mmap(fd, length, PROT_READ | PROT_WRITE, 0);
  if (typeof mapping === 'number') throw new Error(`Cannot map a shelf: ${mapping}`);
  return { words: new Uint32Array(mapping.memory), unmap: () => mapping.unmap() };
}

describe('a datapath with answers', () => {
  let rig: RedirectRig;
  let datapath: Datapath;
  const answers = () => join(rig.pinDirectory, 'abi-2', 'answers');
  const open = (answerEntries = ENTRIES) => {
    datapath = rig.openDatapath({ answerEntries });
  };
  const backend = () => ({ address: toIp(rig.backend.address), port: DNS_PORT });

  beforeAll(async () => {
    rig = await RedirectRig.open('shelves');
  });
  afterAll(() => rig.close());
  beforeEach(() => open());
  afterEach(() => {
    datapath.remove();
    expect(existsSync(rig.pinDirectory)).toBe(false);
  });

  test('what a process writes is there for others, and for the next agent, and remains its own when the shelf goes', () => {
    const shelf = openShelf(datapath);
    const mine = mapMemory(shelf.fds[1], shelf.smallSlots * SMALL_BYTES);
    const pinned = openPinned(join(answers(), '1-small')) ?? -1;
    const theirs = mapMemory(pinned, shelf.smallSlots * SMALL_BYTES);
    const last = mine.words.length - 1;
    [mine.words[0], mine.words[last]] = [11, 22];
    expect([theirs.words[0], theirs.words[last]]).toEqual([11, 22]);
    theirs.unmap();
    openLibc().close(pinned);
    datapath.close();
    open();
    const again = datapath.shelf(1);
    if (again === undefined) throw new Error('It has gone');
    const theirsNow = mapMemory(again.fds[1], again.smallSlots * SMALL_BYTES);
    mine.words[1] = 33;
    expect([...theirsNow.words.subarray(0, 2)]).toEqual([11, 33]);
    theirsNow.unmap();
    datapath.closeShelf(1);
    expect(readdirSync(answers())).toEqual([]);
    mine.words[2] = 44;
    expect([...mine.words.subarray(0, 3)]).toEqual([11, 33, 44]);
    mine.unmap();
  });

  test('each shelf has a head of its own before anybody gets it, and room for what it says', () => {
    const shelves = [openShelf(datapath), openShelf(datapath)];
    const heads = shelves.map(({ fds, sets }) => {
      const index = new BpfMap(fds[0], { name: 'index', keySize: 4, valueSize: 64 });
      const view = index.lookup(u32Bytes(0));
      if (view === undefined) throw new Error('No head');
      expect(index.lookup(u32Bytes(sets))).toBeDefined();
      expect(index.lookup(u32Bytes(sets + 1))).toBeUndefined();
      return decodeAnswerHead(view);
    });
    const [first, second] = heads;
    expect(heads).toMatchObject(shelves.map(({ sets }) => ({ layout: ANSWER_LAYOUT, setMask: sets - 1 })));
    expect(heads.every(({ multiplier }) => multiplier % 2 === 1)).toBe(true);
    expect(first?.seed === second?.seed && first?.multiplier === second?.multiplier).toBe(false);
    const sizes = shelves[0]?.fds.map((fd) => [mapShape(fd).valueSize, mapShape(fd).maxEntries]);
    expect(sizes).toEqual([
      [64, (shelves[0]?.sets ?? 0) + 1],
      [SMALL_BYTES, ENTRIES],
      [1408, ENTRIES / 8],
      [0, 262_144],
    ]);
  });

  test('an upgrade from before there were answers makes their maps and disturbs nothing', async () => {
    await datapath.apply(rig.spec());
    const before = datapath.frontends().map(({ id }) => id);
    datapath.close();
    for (const name of [...Object.values(OUTER_MAPS), 'answer_sources'])
      unlinkSync(join(rig.pinDirectory, 'abi-2', 'maps', name));
    rmSync(answers(), { recursive: true });
    open();
    expect(datapath.inherited().map(({ id }) => id)).toEqual(before);
    expect(openShelf(datapath).number).toBe(1);
    datapath.setAnswerSource({ ...backend(), from: { shelf: 1, view: 1 } });
    expect(datapath.dump().filter(({ answers: from }) => from?.shelf === 1)).toHaveLength(1);
  });

  test('a shelf whose pins are of another build of the maps is taken away', () => {
    openShelf(datapath);
    datapath.close();
    unlinkSync(join(rig.pinDirectory, 'abi-2', 'maps', OUTER_MAPS.large));
    open();
    expect([datapath.shelves(), readdirSync(answers())]).toEqual([[], []]);
    expect(openShelf(datapath).number).toBe(2);
  });

  test('the flag of a pod goes before it becomes a backend, and what the programs count of it stays', async () => {
    const spec = rig.spec();
    const pods = spec.pods.map((pod) => ({ ...pod, answers: true }));
    const fd = openPinned(join(rig.pinDirectory, 'abi-2', 'maps', 'endpoints')) ?? -1;
    const endpoints = new BpfMap(fd, { name: 'endpoints', ...POD_OBJECT.maps.endpoints });
    const rowOf = (address: string) => {
      const bytes = Uint8Array.of(...new Uint8Array(10), 255, 255, ...address.split('.').map(Number));
      const row = endpoints.lookup(encodeEndpointKey({ address: bytes }));
      return row === undefined ? undefined : decodeEndpoint(row);
    };
    await datapath.apply({ ...spec, pods, frontends: [] });
    expect(rowOf(rig.backend.address)?.flags).toBe(ENDPOINT_ANSWERED);
    await datapath.apply({ ...spec, pods });
    expect([rowOf(rig.client.address)?.flags, rowOf(rig.backend.address)?.flags]).toEqual([
      ENDPOINT_ANSWERED,
      0,
    ]);
    rig.ask();
    const counted = rowOf(rig.client.address);
    expect(counted?.flows).toBeGreaterThan(0);
    await datapath.apply(spec);
    expect(rowOf(rig.client.address)).toEqual({ ...counted, flags: 0 });
    endpoints.close();
  });

  test('cleaning up without a datapath takes the shelves away', () => {
    openShelf(datapath);
    datapath.close();
    expect(removeDatapath(rig.pinDirectory)).toBe(true);
    open();
    expect(datapath.shelves()).toEqual([]);
  });
});

describe('an agent that is killed', () => {
  let network: TestNetwork;
  let root: string;
  const KILLED = 'killed';
  let writesLeft = Number.POSITIVE_INFINITY;
  const mayWrite = () => {
    if (writesLeft <= 0) throw new Error(KILLED);
    writesLeft--;
  };
  const mortalMap = (map: BpfMap): MapEntries => ({
    keys: () => map.keys(),
    lookup: (key) => map.lookup(key),
    update(key, value) {
      mayWrite();
      map.update(key, value);
    },
    delete(key) {
      mayWrite();
      return map.delete(key);
    },
  });
  const mortalPins = (pins: ShelfPins): ShelfPins => ({
    ...pins,
    pin(fd, name) {
      mayWrite();
      pins.pin(fd, name);
    },
    remove(name) {
      mayWrite();
      pins.remove(name);
    },
  });

  /** One agent's life on what the one before left. */
  function live<T>(act: (shelves: AnswerShelves) => T, writes = Number.POSITIVE_INFINITY): T {
    const pins = openPins(root);
    const maps = openMaps(POD_OBJECT, pins.maps);
    const outerMap = (part: ShelfPart) => {
      const map = maps.get(OUTER_MAPS[part]);
      if (map === undefined) throw new Error(`No map ${part}`);
      return mortalMap(map);
    };
    const outer = {
      index: outerMap('index'),
      small: outerMap('small'),
      large: outerMap('large'),
      log: outerMap('log'),
    };
    const store = new KernelShelfStore({ outer, pins: mortalPins(openPinDirectory(pins.answers)) });
    const log = { warning: () => undefined };
    const randomBytes = (count: number) => new Uint8Array(count);
    writesLeft = writes;
    const shelves = new AnswerShelves({ store, entries: ENTRIES, log, randomBytes });
    try {
      return act(shelves);
    } finally {
      writesLeft = Number.POSITIVE_INFINITY;
      shelves.close();
      for (const map of maps.values()) map.close();
    }
  }
  const numbers = (shelves: AnswerShelves) => shelves.list().map(({ number }) => number);
  const pinned = () => readdirSync(join(root, 'abi-2', 'answers')).sort();
  const pinsOf = (...shelves: readonly number[]) =>
    shelves.flatMap((number) => SHELF_PARTS.map((part) => `${number}-${part}`)).sort();
  /** Of one shelf: pins, and as many places in the outer maps. */
  const STEPS = SHELF_PARTS.length * 2;

  beforeAll(() => {
    network = new TestNetwork('killed');
    root = network.mountBpffs();
  });
  afterAll(() => network.close());
  afterEach(() => live((shelves) => numbers(shelves).forEach((number) => void shelves.remove(number))));

  test('while it makes a shelf leaves either all of it or nothing, and disturbs no other', () => {
    const kept = live((shelves) => shelves.open()?.number);
    expect(kept).toBe(1);
    for (let writes = 0; writes <= STEPS; writes++) {
      const made = live((shelves) => shelves.open()?.number, writes);
      expect(made === undefined).toBe(writes < STEPS);
      const left = live(numbers);
      expect(left).toEqual(made === undefined ? [1] : [1, made]);
      expect(pinned()).toEqual(pinsOf(...left));
      expect(live((shelves) => shelves.open()?.number)).toBeGreaterThan(1);
      live((shelves) =>
        numbers(shelves)
          .slice(1)
          .forEach((number) => void shelves.remove(number)),
      );
    }
  });

  test('while it takes one away leaves all of it or nothing', () => {
    for (let writes = 0; writes <= STEPS; writes++) {
      const number = live((shelves) => shelves.open()?.number ?? 0);
      live((shelves) => shelves.remove(number), writes);
      expect(live(numbers)).toEqual(writes === 0 ? [number] : []);
      live((shelves) => shelves.remove(number));
      expect(pinned()).toEqual([]);
    }
  });

  test('while it takes away what was left over leaves it to the next', () => {
    for (let writes = 0; writes < STEPS; writes++) {
      live((shelves) => shelves.open(), STEPS - 1);
      live(() => undefined, writes);
      expect(live(numbers)).toEqual([]);
      expect(pinned()).toEqual([]);
    }
  });
});
