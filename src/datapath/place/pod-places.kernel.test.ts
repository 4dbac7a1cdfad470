/** Pods in every shape that CNIs give them, and what is said of each address. Needs root. */
import { spawnSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../telemetry/clock.ts';
import { addBridge, addBridgedPod } from '../testing/bridged-pods.ts';
import { toIp } from '../testing/conformance.ts';
import { silentLog, TestNetwork } from '../testing/test-network.ts';
import { openPodPlaces, type PodPlaces } from './pod-places.ts';

let network: TestNetwork;
let places: PodPlaces;

beforeAll(() => {
  network = new TestNetwork('places');
  network.addPod('routed', '172.20.0.10');
  addBridge(network);
  network.enterNode();
});

beforeEach(() => {
  places = openPodPlaces({ clock: systemClock, log: silentLog });
});

afterEach(() => places.close());
afterAll(() => network.close());

function find(address: string): ReturnType<PodPlaces['find']> {
  return places.find(toIp(address));
}

describe('find knows', () => {
  test('a routed pod by both families', () => {
    const pod = network.addPod('dual', '172.20.0.11');
    network.addIpv6(pod, 'fd00::11');
    const found = find('172.20.0.11');
    expect(found.ifname).toBe(pod.ifname);
    expect(found.netnsId).toBeGreaterThanOrEqual(0);
    expect(find('fd00::11')).toEqual(found);
  });

  test('a bridged pod by both families, before it has sent anything', () => {
    const { ifname } = addBridgedPod(network, 'bridged', '172.21.0.9/24', 'fd00:21::9/64');
    expect(find('172.21.0.9').ifname).toBe(ifname);
    expect(find('fd00:21::9')).toEqual(find('172.21.0.9'));
  });

  test("the node's own addresses, also one given to it for a cache, by interface 0 and no other namespace", () => {
    network.inNode('ip', 'addr', 'add', '169.254.20.10/32', 'dev', 'lo');
    for (const address of ['172.20.0.1', '172.21.0.1', '169.254.20.10'])
      expect(find(address)).toEqual({ ifindex: 0, ifname: '', netnsId: -1 });
  });

  test('each of two interfaces of one pod', () => {
    const pod = network.addPod('multus', '172.20.0.12');
    network.inNode(
      'ip',
      'link',
      'add',
      'net1host',
      'type',
      'veth',
      'peer',
      'name',
      'net1',
      'netns',
      pod.netns,
    );
    network.run(pod.netns, 'ip', 'addr', 'add', '172.24.0.12/32', 'dev', 'net1');
    network.run(pod.netns, 'ip', 'addr', 'add', '172.24.0.13/32', 'dev', 'lo');
    expect(find('172.20.0.12').ifname).toBe(pod.ifname);
    expect(find('172.24.0.12').ifname).toBe('net1host');
    expect([pod.ifname, 'net1host']).toContain(find('172.24.0.13').ifname);
    expect(find('172.24.0.12').netnsId).toBe(find('172.20.0.12').netnsId);
  });

  test('the newer of two pods behind a bridge that have one address, and the older again when that goes', () => {
    const { ifname: old } = addBridgedPod(network, 'dying', '172.21.0.20/24');
    expect(find('172.21.0.20').ifname).toBe(old);
    const { ifname: fresh } = addBridgedPod(network, 'fresh', '172.21.0.20/24');
    expect(find('172.21.0.20').ifname).toBe(fresh);
    network.inNode('ip', 'link', 'del', fresh);
    expect(find('172.21.0.20').ifname).toBe(old);
  });

  test('the routed one of two pods that have one address', () => {
    const old = network.addPod('moved-a', '172.20.0.30');
    const fresh = network.addPod('moved-b', '172.20.0.31');
    network.run(fresh.netns, 'ip', 'addr', 'add', '172.20.0.30/32', 'dev', 'eth0');
    expect(find('172.20.0.30').ifname).toBe(old.ifname);
    network.inNode('ip', 'route', 'replace', '172.20.0.30/32', 'dev', fresh.ifname);
    expect(find('172.20.0.30').ifname).toBe(fresh.ifname);
  });

  test('a pod whose veth was made in the node, and one end moved into the pod afterwards', () => {
    const pod = network.addPod('late', '172.20.0.13');
    network.inNode('ip', 'link', 'add', 'late0', 'type', 'veth', 'peer', 'name', 'late1');
    expect(() => find('172.25.0.13')).toThrow('there is no route to it');
    network.inNode('ip', 'link', 'set', 'late1', 'netns', pod.netns);
    network.run(pod.netns, 'ip', 'addr', 'add', '172.25.0.13/32', 'dev', 'late1');
    expect(find('172.25.0.13').ifname).toBe('late0');
  });
});

describe('what changes', () => {
  test('is known at the next question: an address that comes, goes, and comes to another pod', () => {
    const a = network.addPod('a', '172.20.0.40');
    const b = network.addPod('b', '172.20.0.41');
    network.run(a.netns, 'ip', 'addr', 'add', '172.26.0.1/32', 'dev', 'eth0');
    expect(find('172.26.0.1').ifname).toBe(a.ifname);
    network.run(a.netns, 'ip', 'addr', 'del', '172.26.0.1/32', 'dev', 'eth0');
    expect(() => find('172.26.0.1')).toThrow('there is no route to it');
    network.run(b.netns, 'ip', 'addr', 'add', '172.26.0.1/32', 'dev', 'eth0');
    expect(find('172.26.0.1').ifname).toBe(b.ifname);
  });

  test('is told, and a namespace that goes takes its addresses with it, also when another gets its id', async () => {
    const pod = network.addPod('short', '172.20.0.50');
    const { netnsId } = find('172.20.0.50');
    let told = 0;
    places.onChange(() => told++);
    network.inNode('ip', 'link', 'del', pod.ifname);
    spawnSync('ip', ['netns', 'del', pod.netns]);
    await expect.poll(() => told, { timeout: 30_000 }).toBeGreaterThan(0);
    expect(() => find('172.20.0.50')).toThrow('there is no route to it');
    // The id is free again some time after the namespace has gone.
    const ids = new Set<number>();
    let last = '';
    for (let i = 51; i < 60 && !ids.has(netnsId); i++) {
      const next = network.addPod(`next${i}`, `172.20.0.${i}`);
      const found = find(`172.20.0.${i}`);
      expect(found.ifname).toBe(next.ifname);
      ids.add(found.netnsId);
      last = `172.20.0.${i}`;
    }
    expect(() => find('172.20.0.50')).toThrow('there is no route to it');
    expect(find(last).ifindex).toBeGreaterThan(0);
  });

  test('is told once for a burst of many pods', async () => {
    let told = 0;
    places.onChange(() => told++);
    const pods = Array.from({ length: 20 }, (_, i) => network.addPod(`burst${i}`, `172.27.0.${i + 1}`));
    await expect.poll(() => told, { timeout: 30_000 }).toBeGreaterThan(0);
    for (const [i, pod] of pods.entries()) expect(find(`172.27.0.${i + 1}`).ifname).toBe(pod.ifname);
    expect(told).toBeLessThan(20);
  });

  test('is of no interest after close', () => {
    places.close();
    places.close();
    expect(find('172.20.0.10').ifname).not.toBe('');
  });
});

describe('find refuses, and says what it found,', () => {
  beforeAll(() => {
    network.inNode('ip', 'route', 'add', '172.22.0.0/24', 'via', '172.20.0.10', 'dev', 'v0', 'onlink');
    network.inNode('ip', 'link', 'add', 'loop0', 'type', 'veth', 'peer', 'name', 'loop1');
    network.inNode('ip', 'link', 'set', 'loop0', 'up');
    network.inNode('ip', 'route', 'add', '172.23.0.1/32', 'dev', 'loop0');
    network.inNode('ip', 'route', 'add', '172.23.0.2/32', 'dev', 'v0');
  });

  test.each([
    { name: 'no route', address: '192.0.2.1', reason: 'there is no route to it: received none' },
    {
      name: 'a bridge that no pod there has',
      address: '172.21.0.99',
      reason: 'no pod there has it: received cni0',
    },
    { name: 'a pod of another node', address: '172.22.0.9', reason: 'it is reached through a router' },
    {
      name: 'a veth that ends in the node itself',
      address: '172.23.0.1',
      reason: 'not a veth with its other end in a pod: received loop0 veth',
    },
    {
      name: 'a pod whose namespace has not the address, as of a virtual machine',
      address: '172.23.0.2',
      reason: 'the namespace behind its veth does not have it (a virtual machine): received v0',
    },
  ])('$name', ({ address, reason }) => {
    expect(() => find(address)).toThrow(`Cannot find the interface of ${address}: `);
    expect(() => find(address)).toThrow(reason);
  });
});
