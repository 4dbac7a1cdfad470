/**
 * Real packets between real namespaces: a client, the backend of a redirected frontend, and a fallback that the node
 * translates the frontend to when we leave a packet alone. Who answered is told by the address in the answer. Needs root.
 */

import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { removePinnedLink } from '../sys/bpf.ts';
import { systemClock } from '../telemetry/clock.ts';
import type { Datapath, DatapathSpec, PacketEvent } from './datapath.ts';
import { openDatapath, removeDatapath } from './open-datapath.ts';
import { redirectedFrontend, toIp } from './testing/conformance.ts';
import { eventSink } from './testing/event-sink.ts';
import { readCapture } from './testing/test-capture.ts';
import { silentLog, TestNetwork, type TestPod } from './testing/test-network.ts';

const VIP = '10.96.0.10';
const LOCAL = '192.0.2.20';
const FALLBACK = '192.0.2.30';
const NODE_ADDRESS = '172.20.0.1';
const PATIENTLY = { timeout: 20_000 };

let network: TestNetwork;
let pods: { readonly client: TestPod; readonly backend: TestPod; readonly fallback: TestPod };
let directory: string;
let datapath: Datapath;
let backend: ChildProcess;

const open = () => openDatapath({ pinDirectory: directory, log: silentLog, clock: systemClock });
const specFor = (backends: readonly string[]): DatapathSpec => ({
  frontends: (['UDP', 'TCP'] as const).map((protocol) => redirectedFrontend(VIP, protocol, backends)),
  pods: Object.values(pods).map((pod) => ({ pod: `default/${pod.name}`, addresses: [toIp(pod.address)] })),
  mayPrune: true,
});
const digBoth = () => [
  network.dig(pods.client, `@${VIP}`, 'google.com'),
  network.dig(pods.client, `@${VIP}`, '+tcp', 'google.com'),
];

beforeAll(async () => {
  network = new TestNetwork('redirect');
  pods = {
    client: network.addPod('client', '172.20.0.10'),
    backend: network.addPod('backend', '172.20.0.20'),
    fallback: network.addPod('fallback', '172.20.0.30'),
  };
  network.translate(VIP, pods.fallback.address);
  await network.serve(pods.fallback.netns, pods.fallback.address, FALLBACK);
  directory = join(network.mountBpffs(), 'node');
  network.enterNode();
});

afterAll(() => network.close());

beforeEach(async () => {
  backend = await network.serve(pods.backend.netns, pods.backend.address, LOCAL);
  datapath = open();
});

afterEach(async () => {
  datapath.close();
  open().remove();
  await network.kill(backend);
});

test('a query goes to the backend once the frontend is redirected, and back when it no longer is', async () => {
  expect(digBoth()).toEqual([FALLBACK, FALLBACK]);
  await datapath.apply(specFor([pods.backend.address]));
  // dig refuses an answer from another address than the one it asked.
  expect(digBoth()).toEqual([LOCAL, LOCAL]);
  expect(network.dig(pods.client, `@${pods.backend.address}`, 'google.com')).toBe(LOCAL);
  await datapath.apply({ ...specFor([]), frontends: [] });
  expect(digBoth()).toEqual([FALLBACK, FALLBACK]);
});

test('the query after the death of the server is answered by the fallback, the one after its return by it again', async () => {
  await datapath.apply(specFor([pods.backend.address]));
  await network.kill(backend);
  expect(digBoth()).toEqual([FALLBACK, FALLBACK]);
  backend = await network.serve(pods.backend.netns, pods.backend.address, LOCAL);
  expect(digBoth()).toEqual([LOCAL, LOCAL]);
  expect(datapath.counters().fellBack['no-socket']).toBe(2n);
});

test('one long-lived connected socket moves to the fallback and back', async () => {
  await datapath.apply(specFor([pods.backend.address]));
  const child = network.spawn(
    pods.client.netns,
    process.execPath,
    join(import.meta.dirname, 'testing/test-client.ts'),
    VIP,
  );
  if (child.stdout === null || child.stdin === null) throw new Error('No pipes');
  const { stdin } = child;
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async () => {
    stdin.write('ask\n');
    return (await lines.next()).value;
  };
  expect((await lines.next()).value).toBe('ready');
  expect(await ask()).toBe(LOCAL);
  await network.kill(backend);
  expect(await ask()).toBe(FALLBACK);
  backend = await network.serve(pods.backend.netns, pods.backend.address, LOCAL);
  expect(await ask()).toBe(LOCAL);
  await network.kill(child);
});

test('a redirected query leaves no conntrack entry on the node', async () => {
  const before = tracked();
  expect(digBoth()).toEqual([FALLBACK, FALLBACK]);
  const translated = tracked();
  expect(translated.filter((name) => !before.includes(name))).not.toEqual([]);
  await datapath.apply(specFor([pods.backend.address]));
  expect(digBoth()).toEqual([LOCAL, LOCAL]);
  expect(tracked().filter((name) => !translated.includes(name))).toEqual([]);
});

/** By protocol and port, of which each query has one of its own. Not counted: entries of earlier tests go by themselves. */
function tracked(): readonly string[] {
  return network
    .inNode('cat', '/proc/net/nf_conntrack')
    .split('\n')
    .filter((line) => line.includes(` dst=${VIP} `) || line.includes(` dst=${pods.backend.address} `))
    .map((line) => `${/ (udp|tcp) /.exec(line)?.[1]} ${/ sport=(\d+)/.exec(line)?.[1]}`);
}

test('a backend on the host network is served through the stack, with the frontend as source of the answer', async () => {
  const host = await network.serve(network.node, NODE_ADDRESS, '192.0.2.1');
  await datapath.apply(specFor([NODE_ADDRESS]));
  expect(datapath.frontends().map((row) => row.status.state)).toEqual(['done', 'done']);
  expect(digBoth()).toEqual(['192.0.2.1', '192.0.2.1']);
  await network.kill(host);
  expect(digBoth()).toEqual([FALLBACK, FALLBACK]);
});

test('an IPv6 query goes to the IPv6 backend and is answered from the frontend', async () => {
  const [client6, backend6, vip6] = ['fd00::10', 'fd00::20', 'fd00:96::a'] as const;
  network.addIpv6(pods.client, client6);
  network.addIpv6(pods.backend, backend6);
  const server = await network.serve(pods.backend.netns, backend6, LOCAL);
  const frontends = (['UDP', 'TCP'] as const).map((protocol) =>
    redirectedFrontend(vip6, protocol, [backend6]),
  );
  const both = [
    { pod: 'default/client', addresses: [toIp(pods.client.address), toIp(client6)] },
    { pod: 'default/backend', addresses: [toIp(pods.backend.address), toIp(backend6)] },
  ];
  await datapath.apply({ frontends, pods: both, mayPrune: true });
  expect(network.dig(pods.client, `@${vip6}`, 'google.com')).toBe(LOCAL);
  expect(network.dig(pods.client, `@${vip6}`, '+tcp', 'google.com')).toBe(LOCAL);
  expect(datapath.counters().spoofed).toBe(0n);
  await network.kill(server);
});

test('the checksums of redirected packets are right where they arrive', async () => {
  await datapath.apply(specFor([pods.backend.address]));
  const captures = [pods.client, pods.backend].map((pod) => {
    const filter = ['-i', 'eth0', '-U', '-w', '-', 'port', '53'];
    const child = network.spawn(pod.netns, 'tcpdump', '--immediate-mode', ...filter);
    const chunks: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
    return { child, chunks };
  });
  // The file header comes when the capture has begun.
  await expect.poll(() => captures.every(({ chunks }) => chunks.length > 0), PATIENTLY).toBe(true);
  expect(digBoth()).toEqual([LOCAL, LOCAL]);
  const packets = () => captures.map(({ chunks }) => readCapture(Buffer.concat(chunks)));
  await expect.poll(() => packets().every((list) => list.length >= 8), PATIENTLY).toBe(true);
  for (const packet of packets().flat()) expect(packet.intact || packet.partial).toBe(true);
  for (const { child } of captures) await network.kill(child);
});

describe('without the agent', () => {
  test('a killed agent changes nothing: redirect and fall back go on, and its successor keeps the ids', async () => {
    const spec = specFor([pods.backend.address]);
    const script = join(import.meta.dirname, 'testing/test-agent.ts');
    datapath.close();
    const agent = network.spawn(network.node, process.execPath, script, directory, JSON.stringify(spec));
    await new Promise((resolve) => agent.stdout?.once('data', resolve));
    await network.kill(agent);
    expect(digBoth()).toEqual([LOCAL, LOCAL]);
    await network.kill(backend);
    expect(digBoth()).toEqual([FALLBACK, FALLBACK]);
    backend = await network.serve(pods.backend.netns, pods.backend.address, LOCAL);
    datapath = open();
    expect(digBoth()).toEqual([LOCAL, LOCAL]);
    await datapath.apply(spec);
    expect(datapath.frontends().map((row) => row.id)).toEqual([1, 2]);
    expect(datapath.counters().redirected).toBeGreaterThan(0n);
  });

  test('removeDatapath cleans up after a datapath that is not open, and twice is nothing', async () => {
    await datapath.apply(specFor([pods.backend.address]));
    datapath.close();
    expect(digBoth()).toEqual([LOCAL, LOCAL]);
    removeDatapath(directory);
    removeDatapath(directory);
    expect(existsSync(directory)).toBe(false);
    expect(digBoth()).toEqual([FALLBACK, FALLBACK]);
  });

  test('an interface that a crash left with one of its two programs gets the other', async () => {
    const spec = specFor([pods.backend.address]);
    await datapath.apply(spec);
    const links = join(directory, 'abi-2/links');
    const before = readdirSync(links).sort();
    for (const name of before.filter((entry) => entry.endsWith('-out'))) removePinnedLink(join(links, name));
    datapath.close();
    datapath = open();
    await datapath.apply(spec);
    expect(readdirSync(links).sort()).toEqual(before);
  });

  test('remove leaves nothing pinned, and packets go their ordinary way', async () => {
    await datapath.apply(specFor([pods.backend.address]));
    datapath.remove();
    expect(existsSync(directory) ? readdirSync(directory) : []).toEqual([]);
    expect(digBoth()).toEqual([FALLBACK, FALLBACK]);
  });
});

test('the observer hears one event for each packet of a query, at each hook it passes', async () => {
  await datapath.apply(specFor([pods.backend.address]));
  const events: PacketEvent[] = [];
  let lost = 0;
  const sink = eventSink((event, before) => {
    events.push(event);
    lost += before;
  });
  datapath.onPackets(sink);
  network.dig(pods.client, `@${VIP}`, 'google.com');
  await expect.poll(() => events.length, PATIENTLY).toBe(2);
  const [query, answer] = events;
  const ifindexOf = (name: string) =>
    datapath.interfaces().find((row) => row.pod === `default/${name}`)?.ifindex;
  expect(query).toMatchObject({
    hook: 'from-endpoint',
    verdict: 'redirected',
    ifindex: ifindexOf('client'),
    source: { address: pods.client.address },
    destination: { address: VIP, port: 53 },
    translated: { address: pods.backend.address, port: 53 },
    deliveredIfindex: ifindexOf('backend'),
  });
  expect(Buffer.from(query?.payload ?? []).includes('\x06google\x03com')).toBe(true);
  expect(answer).toMatchObject({
    hook: 'from-endpoint',
    verdict: 'restored',
    ifindex: ifindexOf('backend'),
    source: { address: pods.backend.address, port: 53 },
    translated: { address: VIP, port: 53 },
    deliveredIfindex: ifindexOf('client'),
  });
  expect(lost).toBe(0);
});

test('the pins of an interface that is gone are removed, and its frontend falls back', async () => {
  const extra = network.addPod('extra', '172.20.0.40');
  const server = await network.serve(extra.netns, extra.address, '192.0.2.40');
  const spec = specFor([extra.address]);
  const spare = { pod: 'default/extra', addresses: [toIp(extra.address)] };
  await datapath.apply({ ...spec, pods: [...spec.pods, spare] });
  expect(digBoth()).toEqual(['192.0.2.40', '192.0.2.40']);
  const gone = `${datapath.interfaces().find((row) => row.pod === 'default/extra')?.ifindex}-in`;
  const links = () => readdirSync(join(directory, 'abi-2/links'));
  expect(links()).toContain(gone);
  await network.kill(server);
  network.inNode('ip', 'link', 'del', extra.ifname);
  // Nobody asks for anything: the kernel told that the interface went.
  const states = () => datapath.frontends().map((row) => row.status.state);
  await expect.poll(states, PATIENTLY).toEqual(['error', 'error']);
  expect(links()).not.toContain(gone);
  expect(digBoth()).toEqual([FALLBACK, FALLBACK]);
});
