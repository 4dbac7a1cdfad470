/** Addresses of a node with one routed pod, a bridge and a router, and what is said of each. Needs root. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toIp } from '../testing/conformance.ts';
import { TestNetwork } from '../testing/test-network.ts';
import { locateAddress } from './locate.ts';

let network: TestNetwork;

beforeAll(() => {
  network = new TestNetwork('locate');
  network.addPod('pod', '172.20.0.10');
  network.inNode('ip', 'link', 'add', 'cni0', 'type', 'bridge');
  network.inNode('ip', 'addr', 'add', '172.21.0.1/24', 'dev', 'cni0');
  network.inNode('ip', 'link', 'set', 'cni0', 'up');
  network.inNode('ip', 'route', 'add', '172.22.0.0/24', 'via', '172.20.0.10', 'dev', 'v0', 'onlink');
  network.inNode('ip', 'link', 'add', 'loop0', 'type', 'veth', 'peer', 'name', 'loop1');
  network.inNode('ip', 'link', 'set', 'loop0', 'up');
  network.inNode('ip', 'route', 'add', '172.23.0.1/32', 'dev', 'loop0');
  network.enterNode();
});

afterAll(() => network.close());

test('locateAddress finds the host side of a pod and the id of its namespace', () => {
  const found = locateAddress(toIp('172.20.0.10'));
  expect(found).toMatchObject({ ifname: 'v0' });
  expect(found.ifindex).toBeGreaterThan(1);
  expect(found.netnsId).toBeGreaterThanOrEqual(0);
});

test("locateAddress knows the node's own address by interface 0 and no other namespace", () => {
  expect(locateAddress(toIp('172.20.0.1'))).toEqual({ ifindex: 0, ifname: '', netnsId: -1 });
});

describe('locateAddress refuses', () => {
  test.each([
    {
      name: 'an address without a route',
      address: '192.0.2.1',
      reason: 'there is no route to it: received none',
    },
    {
      name: 'a pod behind a bridge',
      address: '172.21.0.9',
      reason: 'it is behind a bridge, which is not supported yet',
    },
    { name: 'a pod of another node', address: '172.22.0.9', reason: 'it is reached through a router' },
    {
      name: 'a veth that ends in the node itself',
      address: '172.23.0.1',
      reason: 'not a veth with its other end in a pod',
    },
  ])('$name', ({ address, reason }) => {
    expect(() => locateAddress(toIp(address))).toThrow(`Cannot find the interface of ${address}: `);
    expect(() => locateAddress(toIp(address))).toThrow(reason);
  });
});
