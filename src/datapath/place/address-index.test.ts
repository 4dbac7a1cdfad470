import { beforeEach, describe, expect, test } from 'vitest';
import type { NamespaceAddress } from '../../sys/netlink/addresses.ts';
import type { LinkAnswer } from '../../sys/netlink/links.ts';
import { toIp } from '../testing/conformance.ts';
import { AddressIndex } from './address-index.ts';

function veth(ifindex: number, over: Partial<LinkAnswer> = {}): LinkAnswer {
  const peer = { peerIfindex: 2, peerNetnsId: ifindex };
  return {
    ifindex,
    name: `v${ifindex}`,
    kind: 'veth',
    mac: new Uint8Array(6),
    up: true,
    master: 0,
    ...peer,
    ...over,
  };
}

function address(text: string, ifindex = 2, linkLocal = false): NamespaceAddress {
  return { ip: toIp(text), ifindex, linkLocal };
}

function names(text: string): readonly string[] {
  return index.candidates(toIp(text)).map(({ ifname }) => ifname);
}

let index: AddressIndex;

beforeEach(() => {
  index = new AddressIndex();
});

describe('candidates', () => {
  test('need both a veth and an address behind it, in either order', () => {
    index.setAddresses(5, [address('10.0.0.1')]);
    expect(names('10.0.0.1')).toEqual([]);
    index.setLink(veth(5));
    expect(names('10.0.0.1')).toEqual(['v5']);
    index.deleteLink(5);
    expect(names('10.0.0.1')).toEqual([]);
  });

  test('prefer the veth whose other end has the address, then one that is up, then the newest', () => {
    for (const link of [
      veth(5, { peerNetnsId: 1, peerIfindex: 9 }),
      veth(6, { peerNetnsId: 1 }),
      veth(7, { peerNetnsId: 2, up: false }),
      veth(8, { peerNetnsId: 3 }),
    ])
      index.setLink(link);
    for (const netnsId of [1, 2, 3]) index.setAddresses(netnsId, [address('10.0.0.1')]);
    expect(names('10.0.0.1')).toEqual(['v8', 'v6', 'v7', 'v5']);
  });

  test('leave out loopback and link-local addresses, and veths that end here', () => {
    index.setLink(veth(5));
    index.setLink({ ...veth(6), peerIfindex: 7, kind: 'veth' });
    index.setAddresses(5, [address('127.0.0.1'), address('::1'), address('fe80::1', 2, true)]);
    for (const text of ['127.0.0.1', '::1', 'fe80::1']) expect(names(text)).toEqual([]);
  });
});

describe('what is told twice', () => {
  test('is no change, in another order neither', () => {
    expect(index.setLink(veth(5))).toBe(true);
    expect(index.setLink(veth(5))).toBe(false);
    expect(index.setAddresses(5, [address('10.0.0.1'), address('10.0.0.2')])).toBe(true);
    expect(index.setAddresses(5, [address('10.0.0.2'), address('10.0.0.1')])).toBe(false);
    expect(index.setAddresses(5, [])).toBe(true);
    expect(index.setAddresses(5, [])).toBe(false);
  });

  test('of interfaces that are no veth of a pod is no change at all', () => {
    expect(index.setLink({ ...veth(1), kind: 'bridge' })).toBe(false);
    expect(index.deleteLink(1)).toBe(false);
  });
});

test('prune forgets namespaces that no veth leads to, so that an id that comes again brings nothing old', () => {
  index.setLink(veth(5));
  index.setAddresses(5, [address('10.0.0.1')]);
  index.deleteLink(5);
  index.prune();
  index.setLink(veth(6, { peerNetnsId: 5 }));
  expect(names('10.0.0.1')).toEqual([]);
});
