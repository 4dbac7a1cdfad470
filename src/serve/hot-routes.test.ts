import { expect, test } from 'vitest';
import type { PluginInstance, Replay } from '../plugins/contract.ts';
import { name } from '../plugins/fake-host.ts';
import { hotRoutes } from './hot-routes.ts';
import type { PluginRecord } from './plugin-setup.ts';

const handler: PluginInstance = { plugin: (next) => next };
const keep = (partition = 3): Replay => ({ does: 'keep', partition, add: () => undefined });

function records(block: number, ...instances: PluginInstance[]): PluginRecord[] {
  return instances.map((instance, i) => ({ word: `word-${i}`, block, instance }));
}

function replays(...all: (Replay | undefined)[]): PluginInstance[] {
  return all.map((replay) => ({ ...handler, ...(replay && { replay }) }));
}

function specOf(blocks: readonly PluginRecord[], members = [{ block: 0, zones: [name('.')] }]) {
  const [listener] = hotRoutes([{ server: 'dns://:53', members }], blocks);
  return listener?.routes.map(({ zone, replay }) => ({ zone, replay }));
}

const plain = { partition: 3, shuffle: false, limitBytes: undefined, counted: true };

test.each([
  { name: 'a cache alone is enough', all: replays(keep()), expected: plain },
  {
    name: 'what stands before the cache is told',
    all: replays({ does: 'nothing' }, { does: 'shuffle' }, keep()),
    expected: { ...plain, shuffle: true },
  },
  {
    name: 'the smallest size limit counts',
    all: replays({ does: 'limit', bytes: 1232 }, { does: 'limit', bytes: 900 }, keep()),
    expected: { ...plain, limitBytes: 900 },
  },
  {
    name: 'what stands behind the cache does not matter',
    all: [...replays(keep()), handler],
    expected: plain,
  },
  {
    name: 'words that only configure do not matter',
    all: [{ listenOn: ['127.0.0.1'] }, ...replays(keep())],
    expected: plain,
  },
  {
    name: 'a silent plugin before the cache keeps the block on the chain',
    all: replays(undefined, keep()),
    expected: undefined,
  },
  {
    name: 'a plugin that tells facts about queries and nothing else is silent too',
    all: [{ describe: () => undefined }, ...replays(keep())],
    expected: undefined,
  },
  {
    name: 'without a cache there is nothing to answer from',
    all: replays({ does: 'nothing' }),
    expected: undefined,
  },
])('hotRoutes: $name', ({ all, expected }) => {
  expect(specOf(records(0, ...all))).toEqual([{ zone: '.', replay: expected }]);
});

test('hotRoutes: every zone of a listener has a route, also those of blocks that stay on the chain', () => {
  const blocks = [...records(0, ...replays(keep(1))), ...records(1, handler)];
  const members = [
    { block: 0, zones: [name('.'), name('cluster.local.')] },
    { block: 1, zones: [name('example.org.')] },
    { block: 2, zones: [name('empty.example.')] },
  ];
  expect(specOf(blocks, members)).toEqual([
    { zone: '.', replay: { ...plain, partition: 1 } },
    { zone: 'cluster.local.', replay: { ...plain, partition: 1 } },
    { zone: 'example.org.', replay: undefined },
    { zone: 'empty.example.', replay: undefined },
  ]);
});

test('hotRoutes: one view takes the whole listener to the chain, and no other listener', () => {
  const view: PluginInstance = { view: { name: 'inside', accepts: () => true } };
  const blocks = [...records(0, ...replays(keep(1))), ...records(1, view, ...replays(keep(2)))];
  const members = (...indexes: number[]) => indexes.map((block) => ({ block, zones: [name('.')] }));
  const listeners = [
    { server: 'dns://:53', members: members(0, 1) },
    { server: 'dns://:54', members: members(0) },
  ];
  const specs = hotRoutes(listeners, blocks).map(({ routes }) =>
    routes.map(({ replay }) => replay?.partition),
  );
  expect(specs).toEqual([[undefined, undefined], [1]]);
});

test('hotRoutes: who counts, logs and keeps is called by route', () => {
  const [count, log, cache] = replays(
    { does: 'count', add: () => undefined },
    { does: 'log', write: () => undefined },
    keep(),
  );
  const all = [count, log, cache].flatMap((instance) => instance ?? []);
  const [listener] = hotRoutes(
    [{ server: 'dns://:53', members: [{ block: 0, zones: [name('.')] }] }],
    records(0, ...all),
  );
  const [route] = listener?.routes ?? [];
  expect(route?.counts).toEqual([count?.replay?.does === 'count' && count.replay.add]);
  expect(route?.logs).toEqual([log?.replay?.does === 'log' && log.replay.write]);
  expect(route?.keeps).toEqual([cache?.replay?.does === 'keep' && cache.replay.add]);
});

test('hotRoutes: who goes by the client keeps the kernel from its block, wherever it stands, and packet threads not', () => {
  const blocks = [
    ...records(0, ...replays(keep(1)), { ...handler, dependsOnClient: 'it asks who asks' }),
    ...records(1, ...replays(keep(2))),
    ...records(2, handler),
  ];
  const members = [0, 1, 2].map((block) => ({ block, zones: [name(`${block}.test.`)] }));
  const ways = (transport?: 'dns' | 'tls') =>
    hotRoutes([{ server: 'dns://:53', members, ...(transport && { transport }) }], blocks).flatMap(
      ({ routes }) => routes.map(({ fast, kernel }) => [fast, kernel]),
    );
  expect(ways()).toEqual([
    [true, 'it asks who asks'],
    [true, true],
    ['there is no cache in the block', 'there is no cache in the block'],
  ]);
  expect(ways('tls').map(([, kernel]) => kernel)).toEqual(Array(3).fill('queries come encrypted'));
});
