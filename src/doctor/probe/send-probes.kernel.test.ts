/** Queries from inside real namespaces, to servers that answer, refuse, keep silent or talk nonsense. Needs root. */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toIp } from '../../datapath/testing/conformance.ts';
import { TestNetwork, type TestPod } from '../../datapath/testing/test-network.ts';
import { parseName, ROOT } from '../../dns/name.ts';
import { ownNamespace } from '../../sys/netns/namespaces.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { openPodNamespaces, type PodNamespace } from './pod-namespaces.ts';
import { type ProbeOptions, sendProbes } from './send-probes.ts';

const VIP = '10.96.0.10';
const CLIENT = '172.20.0.20';
const CLIENT6 = 'fd00::20';
const SERVER = '172.20.0.30';
const SERVER6 = 'fd00::30';
/** Answers with two bytes. */
const NONSENSE =
  "const s=require('dgram').createSocket('udp4');s.on('message',(m,p)=>s.send(Buffer.from([1,2]),p.port,p.address));s.bind(54,()=>console.log('ready'))";
/** Sends empty frames for as long as it is let. */
const FLOOD =
  "require('net').createServer(s=>{const b=Buffer.alloc(65536);const go=()=>{while(s.write(b));};s.on('drain',go).on('error',()=>0);go()}).listen(55,()=>console.log('ready'))";

let network: TestNetwork;
let client: TestPod;
let server: TestPod;
let home: bigint;

beforeAll(async () => {
  network = new TestNetwork('probes');
  client = network.addPod('client', CLIENT);
  server = network.addPod('server', SERVER);
  network.addIpv6(client, CLIENT6);
  network.addIpv6(server, SERVER6);
  network.translate(VIP, SERVER);
  for (const address of [SERVER, SERVER6]) await network.serve(server.netns, address, '192.0.2.1');
  network.enterNode();
  home = ownNamespace().inode;
});

afterAll(() => network.close());

function find(address: string): PodNamespace {
  const namespaces = openPodNamespaces();
  try {
    const found = namespaces.find(toIp(address));
    if (found === undefined) throw new Error(`Nobody has ${address}`);
    return found;
  } finally {
    namespaces.close();
  }
}

function probe(nameserver: string, over: Partial<ProbeOptions> & { port?: number } = {}) {
  const { port = 53, ...options } = over;
  const target = { key: 'default/client', namespace: find(CLIENT), nameserver: toIp(nameserver), port };
  const domain = parseName('cluster.local.') ?? ROOT;
  return sendProbes([target], { domain, run: 'ab12', clock: systemClock, randomId: () => 4711, ...options });
}

describe('openPodNamespaces', () => {
  test('finds a pod by its veth in both families, and the node itself', () => {
    for (const address of [CLIENT, CLIENT6])
      expect(find(address)).toMatchObject({ ifname: client.ifname, hostNetwork: false });
    expect(find('172.20.0.1')).toMatchObject({ hostNetwork: true, inode: home });
    expect(() => find('198.51.100.1')).toThrow('Nobody');
  });

  test('finds a pod without a veth by looking into its namespace', () => {
    network.run(server.netns, 'ip', 'link', 'add', 'alone', 'type', 'bridge');
    network.run(server.netns, 'ip', 'addr', 'add', '10.9.9.9/32', 'dev', 'alone');
    expect(find('10.9.9.9').inode).toBe(find(SERVER).inode);
    expect(ownNamespace().inode).toBe(home);
  });

  test('tells the processes that live in a pod', () => {
    const namespaces = openPodNamespaces();
    expect(namespaces.processes(find(CLIENT))).toEqual([]);
    expect(namespaces.processes(find(SERVER)).length).toBeGreaterThan(0);
    namespaces.close();
  });
});

describe('sendProbes', () => {
  test.each([VIP, SERVER6])(
    'to %s is answered by UDP and TCP, each from a port of its own',
    async (nameserver) => {
      const results = await probe(nameserver);
      expect(results).toHaveLength(4);
      expect(results.map(({ protocol }) => protocol)).toEqual(['UDP', 'UDP', 'UDP', 'TCP']);
      for (const result of results)
        expect(result).toMatchObject({
          outcome: 'answered',
          rcode: 'NOERROR',
          recursionAvailable: true,
          sent: true,
        });
      expect(new Set(results.map(({ sourcePort }) => sourcePort)).size).toBe(4);
      expect(results.map(({ name }) => name)).toEqual(
        [0, 1, 2, 3].map((i) => `zerohop-probe-ab12-${i}.cluster.local.`),
      );
    },
  );

  test('tells a closed port, silence, no way and no leave apart', async () => {
    const few = { udp: 1, tcp: 1, timeoutMs: 1500 };
    const outcomes = async (nameserver: string, port = 53) =>
      (await probe(nameserver, { ...few, port })).map(({ outcome }) => outcome);
    expect(await outcomes(SERVER, 1053)).toEqual(['refused', 'refused']);
    network.run(server.netns, 'nft', 'add table inet t');
    network.run(server.netns, 'nft', 'add chain inet t c { type filter hook input priority 0; }');
    network.run(server.netns, 'nft', 'add rule inet t c th dport 53 drop');
    expect(await outcomes(SERVER)).toEqual(['timeout', 'timeout']);
    network.run(server.netns, 'nft', 'delete table inet t');
    network.run(client.netns, 'ip', 'route', 'add', 'unreachable', '198.51.100.0/24');
    expect(await outcomes('198.51.100.1')).toEqual(['unreachable', 'unreachable']);
    network.run(client.netns, 'nft', 'add table inet t');
    network.run(client.netns, 'nft', 'add chain inet t c { type filter hook output priority 0; }');
    network.run(client.netns, 'nft', 'add rule inet t c udp dport 53 drop');
    expect((await outcomes(SERVER))[0]).toBe('denied');
    network.run(client.netns, 'nft', 'delete table inet t');
  });

  test('takes nothing for an answer that is none', async () => {
    const child = network.spawn(server.netns, process.execPath, '-e', NONSENSE);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    const results = await probe(SERVER, { udp: 1, tcp: 0, timeoutMs: 3000, port: 54 });
    expect(results).toMatchObject([{ outcome: 'malformed', sent: true }]);
    await network.kill(child);
  });

  test('is done in time with a server that never stops sending', async () => {
    const child = network.spawn(server.netns, process.execPath, '-e', FLOOD);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    const results = await probe(SERVER, { udp: 0, tcp: 1, timeoutMs: 5000, port: 55 });
    expect(results).toMatchObject([{ outcome: 'malformed', sent: true }]);
    await network.kill(child);
  });

  test('leaves no descriptor and no namespace behind', async () => {
    await probe(VIP, { udp: 1 });
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 5; i++) await probe(VIP, { udp: 2 });
    expect(readdirSync('/proc/self/fd').length).toBe(before);
    expect(ownNamespace().inode).toBe(home);
  });

  test('says of a pod that is gone that it is', async () => {
    const target = { key: 'x/y', namespace: { inode: 1n, path: '/run/netns/none' }, nameserver: toIp(VIP) };
    const options = { domain: ROOT, run: '1', clock: systemClock, randomId: () => 1, udp: 1, tcp: 0 };
    expect(await sendProbes([target], options)).toMatchObject([
      { outcome: 'not-entered', sent: false, reason: 'the network namespace is gone' },
    ]);
  });
});
