/** Packets of pods that the kernel throws away, in earnest: by a rule, for want of a socket, for want of room. Needs root. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Datapath, PacketEvent } from '../datapath.ts';
import { redirectedFrontend, toIp } from '../testing/conformance.ts';
import { eventSink } from '../testing/event-sink.ts';
import { RedirectRig, VIP } from '../testing/redirect-rig.ts';
import { TestNetwork, type TestPod } from '../testing/test-network.ts';
import { buildPacket } from '../testing/test-packet.ts';

const PATIENTLY = { timeout: 20_000 };
const SENDER = join(import.meta.dirname, '../testing/test-frame-sender.ts');
/** More than a socket's default buffer has room for. */
const FLOOD = 1000;

let rig: RedirectRig;
let datapath: Datapath;
let events: PacketEvent[];

const drops = () => events.filter(({ verdict }) => verdict === 'dropped');
const reasonOf = ({ drop }: PacketEvent) => datapath.dropReason(drop?.reason ?? 0);
/** One query by UDP, without waiting for its answer. */
const ask = (network: TestNetwork, from: TestPod, to: string, name: string, ...more: readonly string[]) => {
  const dig = ['dig', '+tries=1', '+time=1', ...more, `@${to}`, name];
  return network.spawn(from.netns, ...dig);
};
const rules = (netns: string, text: string) =>
  execFileSync('nsenter', [`--net=/run/netns/${netns}`, 'nft', '-f', '-'], { input: text });
const asks = (name: string) => (event: PacketEvent) =>
  Buffer.from(event.payload).toString('latin1').includes(name);

function never(): never {
  throw new Error('It was there a moment ago');
}

beforeAll(async () => {
  rig = await RedirectRig.open('drops');
});
afterAll(() => rig.close());
beforeEach(async () => {
  datapath = rig.openDatapath();
  await datapath.apply(rig.spec());
  events = [];
  datapath.onPackets(eventSink((event) => events.push(event)));
});
afterEach(() => datapath.remove());

test('queries that are answered are not among them, and neither are connections that end', async () => {
  expect(datapath.drops()).toEqual({ watched: true });
  for (let i = 0; i < 3; i++) expect(rig.ask()).toEqual(['192.0.2.20', '192.0.2.20']);
  rig.network.dig(rig.client, `@${rig.fallback.address}`, '+tcp', 'last.test');
  await expect.poll(() => events.some(asks('last')), PATIENTLY).toBe(true);
  expect(drops().map((event) => [reasonOf(event), event])).toEqual([]);
});

test('a rule of the node drops a query: told once, with the query and where it was', async () => {
  rules(
    rig.network.node,
    'table ip drops { chain f { type filter hook forward priority 0; udp dport 53 drop; }\n}',
  );
  try {
    ask(rig.network, rig.client, rig.fallback.address, 'byrule.test');
    await expect.poll(() => drops().length, PATIENTLY).toBe(1);
  } finally {
    rules(rig.network.node, 'delete table ip drops');
  }
  // What comes later in the ring comes later here.
  rig.network.dig(rig.client, `@${rig.fallback.address}`, 'after.test');
  await expect.poll(() => events.some(asks('after')), PATIENTLY).toBe(true);
  const drop = drops()[0] ?? never();
  expect(drops()).toHaveLength(1);
  expect(reasonOf(drop)).toBe('NETFILTER_DROP');
  expect(drop).toMatchObject({
    hook: 'from-endpoint',
    protocol: 'UDP',
    source: { address: rig.client.address },
    destination: { address: rig.fallback.address, port: 53 },
    drop: { place: 'node' },
  });
  expect(asks('byrule')(drop)).toBe(true);
  expect(drop.payload).toHaveLength(drop.payloadLength);
  const seen = events.filter(asks('byrule')).map(({ verdict, hook }) => [verdict, hook]);
  expect(seen).toEqual([
    ['forwarded', 'from-endpoint'],
    ['dropped', 'from-endpoint'],
  ]);
});

test('segments of TCP and packets of IPv6 are told as those of IPv4 are', async () => {
  const [client, server] = ['fd00::10', 'fd00::30'];
  rig.network.addIpv6(rig.client, client);
  rig.network.addIpv6(rig.fallback, server);
  const pods = rig.spec().pods.map((pod) => {
    const more = { 'default/client': [toIp(client)], 'default/fallback': [toIp(server)] }[pod.pod] ?? [];
    return { ...pod, addresses: [...pod.addresses, ...more] };
  });
  await datapath.apply({ ...rig.spec(), pods });
  const chain = (protocol: string) =>
    `chain no_${protocol} { type filter hook forward priority 0; ${protocol} dport 53 drop; }\n`;
  rules(rig.network.node, `table inet drops { ${chain('udp')} ${chain('tcp')} }\n`);
  try {
    ask(rig.network, rig.client, server, 'six.test');
    ask(rig.network, rig.client, rig.fallback.address, 'tcp.test', '+tcp');
    await expect.poll(() => new Set(drops().map(({ protocol }) => protocol)).size, PATIENTLY).toBe(2);
  } finally {
    rules(rig.network.node, 'delete table inet drops');
  }
  const [six, syn] = ['UDP', 'TCP'].map((protocol) => drops().find((event) => event.protocol === protocol));
  expect(six).toMatchObject({ source: { address: client }, destination: { address: server, port: 53 } });
  expect(asks('six')(six ?? never())).toBe(true);
  expect(syn).toMatchObject({
    tcpFlags: 2,
    destination: { address: rig.fallback.address },
    payloadLength: 0,
  });
  expect(new Set(drops().map(reasonOf))).toEqual(new Set(['NETFILTER_DROP']));
});

test("a pod's own rule drops what never came to its interface", async () => {
  rules(
    rig.client.netns,
    'table ip drops { chain o { type filter hook output priority 0; udp dport 53 drop; }\n}',
  );
  try {
    ask(rig.network, rig.client, VIP, 'inside.test');
    await expect.poll(() => drops().length, PATIENTLY).toBe(1);
  } finally {
    rules(rig.client.netns, 'delete table ip drops');
  }
  const [drop] = drops();
  expect(events.filter(asks('inside'))).toEqual([drop]);
  expect(drop).toMatchObject({ destination: { address: VIP, port: 53 }, drop: { place: 'pod' } });
  const row = datapath.interfaces().find(({ address }) => address === rig.client.address);
  expect(drop?.ifindex).toBe(row?.ifindex);
});

test('nobody listens: the query was delivered, and dropped in the pod', async () => {
  ask(rig.network, rig.fallback, rig.client.address, 'nobody.test');
  await expect.poll(() => drops().length, PATIENTLY).toBe(1);
  const drop = drops()[0] ?? never();
  expect(reasonOf(drop)).toBe('NO_SOCKET');
  expect(drop).toMatchObject({ destination: { address: rig.client.address }, drop: { place: 'pod' } });
  expect(events.filter(asks('nobody')).map(({ verdict, hook }) => [verdict, hook])).toEqual([
    ['forwarded', 'from-endpoint'],
    ['forwarded', 'to-endpoint'],
    ['dropped', 'from-endpoint'],
  ]);
});

test('a server that stands still: what its socket has no room for is told, packet by packet', async () => {
  const server = await rig.network.serve(rig.client.netns, rig.client.address, '192.0.2.9');
  server.kill('SIGSTOP');
  const frontends = [redirectedFrontend(VIP, 'UDP', [rig.client.address])];
  await datapath.apply({ ...rig.spec(), frontends });
  try {
    const frames = Array.from({ length: FLOOD }, (_, i) =>
      buildPacket({
        protocol: 'UDP',
        source: toIp(rig.fallback.address),
        sourcePort: 20_000 + i,
        destination: toIp(VIP),
        destinationPort: 53,
        payload: new TextEncoder().encode(`query ${i}`),
      }),
    );
    const hex = frames.map((frame) => Buffer.from(frame).toString('hex'));
    rig.network.run(rig.fallback.netns, process.execPath, SENDER, 'eth0', ...hex);
    const sent = () => events.filter(({ verdict }) => verdict === 'redirected');
    await expect.poll(() => sent().length, PATIENTLY).toBe(FLOOD);
    const ports = () => drops().map(({ source }) => source.port);
    // The last one cannot have had room. It is told of after it was redirected, and may be read later.
    await expect.poll(ports, PATIENTLY).toContain(20_000 + FLOOD - 1);
    expect(new Set(drops().map(reasonOf))).toEqual(new Set(['SOCKET_RCVBUFF']));
    expect(new Set(drops().map(({ drop }) => drop?.place))).toEqual(new Set(['pod']));
    expect(new Set(ports()).size).toBe(ports().length);
  } finally {
    await rig.network.kill(server);
  }
});

test('what another node of this kernel drops is not ours, though its pods have the same addresses', async () => {
  const other = new TestNetwork('drops-other');
  try {
    const [client, server] = [
      other.addPod('client', rig.client.address),
      other.addPod('server', rig.fallback.address),
    ];
    const drop = 'table ip drops { chain f { type filter hook forward priority 0; udp dport 53 drop; }\n}';
    rules(other.node, drop);
    other.run(client.netns, 'sh', '-c', `dig +tries=1 +time=1 @${server.address} theirs.test || true`);
    rules(other.node, 'delete table ip drops');
    other.run(client.netns, 'sh', '-c', `dig +tries=1 +time=1 @${server.address} theirs2.test || true`);
    ask(rig.network, rig.fallback, rig.client.address, 'ours.test');
    await expect.poll(() => drops().length, PATIENTLY).toBe(1);
    expect(drops().map(asks('ours'))).toEqual([true]);
  } finally {
    await other.close();
    rig.network.enterNode();
  }
});

test('other ports are nobody’s business, and closing ends it', async () => {
  ask(rig.network, rig.fallback, rig.client.address, 'other.test', '-p', '5300');
  ask(rig.network, rig.fallback, rig.client.address, 'dns.test');
  await expect.poll(() => drops().length, PATIENTLY).toBe(1);
  expect(drops().map(asks('dns'))).toEqual([true]);
  datapath.close();
  expect(datapath.drops()).toEqual({ watched: false });
  // Who takes no packets pays for no tracepoint.
  datapath = rig.openDatapath();
  await datapath.apply(rig.spec());
  expect(datapath.drops()).toEqual({ watched: false });
});
