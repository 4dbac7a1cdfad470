import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { parseIp } from '../../../net/ip.ts';
import { askProxyMode } from './ask-proxy.ts';
import { proxyMode } from './proxy-mode.ts';

const VIP = parseIp('10.96.0.10');
const IPVS = {
  name: 'kube-ipvs0',
  ifindex: 3,
  kind: 'dummy',
  up: false,
  addresses: VIP === undefined ? [] : [VIP],
};
const none = { interfaces: [], chains: { nft: [], legacy: [] } };

describe('proxyMode', () => {
  test.each([
    { name: 'nothing', signs: none, mode: 'none' },
    {
      name: "chains of the kubelet's own",
      signs: { ...none, chains: { nft: ['KUBE-FIREWALL'], legacy: [] } },
      mode: 'none',
    },
    {
      name: 'legacy chains',
      signs: { ...none, chains: { nft: [], legacy: ['KUBE-SERVICES'] } },
      mode: 'iptables',
    },
    {
      name: 'chains by iptables-nft',
      signs: { ...none, chains: { nft: ['KUBE-SVC-X'], legacy: [] } },
      mode: 'iptables',
    },
    {
      name: 'chains of the nftables mode',
      signs: {
        ...none,
        chains: { nft: ['service-ULMVA6XW-kube-system/kube-dns/udp/dns'], legacy: ['KUBE-SVC-X'] },
      },
      mode: 'nftables',
    },
    {
      name: "IPVS's interface",
      signs: { interfaces: [IPVS], chains: { nft: ['KUBE-SERVICES'], legacy: [] } },
      mode: 'ipvs',
    },
    {
      name: 'what it says itself',
      signs: { ...none, chains: { nft: [], legacy: ['KUBE-SVC-X'] }, told: 'nftables' },
      mode: 'nftables',
    },
    { name: 'nonsense that it says', signs: { ...none, told: 'userspace' }, mode: 'none' },
  ])('by $name is $mode', ({ signs, mode }) => {
    expect(proxyMode(signs).mode).toBe(mode);
  });

  test('tells the addresses that IPVS holds', () => {
    expect(proxyMode({ ...none, interfaces: [IPVS] }).ipvsAddresses).toEqual(['10.96.0.10']);
  });
});

describe('askProxyMode', () => {
  const servers: ReturnType<typeof createServer>[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  async function serving(status: number, body: string | undefined): Promise<number> {
    const server = createServer((_, response) => {
      if (body !== undefined) response.writeHead(status).end(body);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  test.each([
    { status: 200, body: 'iptables\n', told: 'iptables' },
    { status: 404, body: 'iptables', told: undefined },
    { status: 200, body: '<html>', told: undefined },
    { status: 200, body: 'x'.repeat(100_000), told: undefined },
    { status: 200, body: undefined, told: undefined },
  ])('takes $status $told', async ({ status, body, told }) => {
    expect(await askProxyMode(body === undefined ? 100 : 5000, await serving(status, body))).toBe(told);
  });

  test('is undefined where nobody listens', async () => {
    const port = await serving(200, '');
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
    expect(await askProxyMode(5000, port)).toBeUndefined();
  });
});
