/**
 * Test support: the pod programs with maps of their own in a namespace whose loopback has the backends' addresses, so that
 * "a socket is bound" is a real socket. One client and one living backend in each family. Needs root.
 */
import type { Ip } from '../../net/ip.ts';
import type { Protocol } from '../../net/port.ts';
import { DNS_PORT, toIp } from './conformance.ts';
import { TestNetwork } from './test-network.ts';
import type { PacketShape } from './test-packet.ts';
import { TestPrograms } from './test-programs.ts';

export interface Family {
  readonly client: Ip;
  readonly vip: Ip;
  readonly alive: Ip;
  /** The node has the address, but nobody serves there. */
  readonly dead: Ip;
}

export const IPV4: Family = {
  client: toIp('172.20.0.10'),
  vip: toIp('10.96.0.10'),
  alive: toIp('172.20.0.20'),
  dead: toIp('172.20.0.30'),
};
export const IPV6: Family = {
  client: toIp('fd00::10'),
  vip: toIp('fd00:96::a'),
  alive: toIp('fd00::20'),
  dead: toIp('fd00::30'),
};
export const FAMILIES = [
  { name: 'IPv4', family: IPV4 },
  { name: 'IPv6', family: IPV6 },
];
/** The loopback, which a test run pretends to come from; it redirects no further than the verdict. */
export const IFINDEX = 1;
const OWN_NETNS = -1;
/** Queries come from these in turn. */
const FIRST_PORT = 20_000;
const PORTS = 45_000;
const PROTOCOLS: readonly Protocol[] = ['UDP', 'TCP'];

export class ProgramRig {
  readonly programs: TestPrograms;
  readonly #network: TestNetwork;
  #asked = 0;

  private constructor(network: TestNetwork, programs: TestPrograms) {
    this.#network = network;
    this.programs = programs;
  }

  /** Moves this thread into the namespace; `close` brings it back. */
  static async open(label: string, globals: Readonly<Record<string, Uint8Array>> = {}): Promise<ProgramRig> {
    const network = new TestNetwork(label);
    for (const address of [IPV4.alive, IPV4.dead])
      network.inNode('ip', 'addr', 'add', `${address}/32`, 'dev', 'lo');
    for (const address of [IPV6.alive, IPV6.dead])
      network.inNode('ip', 'addr', 'add', `${address}/128`, 'dev', 'lo', 'nodad');
    await network.serve(network.node, IPV4.alive, '192.0.2.20');
    await network.serve(network.node, IPV6.alive, '192.0.2.20');
    const directory = network.mountBpffs();
    network.enterNode();
    return new ProgramRig(network, new TestPrograms(directory, globals));
  }

  /** Both families lead to their living backend, and every address is its sender's own. */
  reset(): void {
    for (const family of [IPV4, IPV6]) {
      this.redirect(family, [family.alive]);
      this.programs.endpoints.write([family.client, family.alive, family.dead], IFINDEX);
      this.programs.health.set({ address: family.alive, port: DNS_PORT });
    }
    this.programs.events();
  }

  redirect(family: Family, backends: readonly Ip[], flags = 0, ifindex = IFINDEX): void {
    for (const protocol of PROTOCOLS) {
      const place = { port: DNS_PORT, protocol, ifindex, netnsId: OWN_NETNS };
      const targets = backends.map((address) => ({ address, ...place }));
      this.programs.table.write({ address: family.vip, port: DNS_PORT, protocol }, flags, targets);
    }
  }

  /** From a port that nobody asked from before, or 45,000 queries ago. */
  query(family: Family, over: Partial<PacketShape> = {}): PacketShape {
    return {
      protocol: 'UDP',
      source: family.client,
      sourcePort: FIRST_PORT + (this.#asked++ % PORTS),
      destination: family.vip,
      destinationPort: DNS_PORT,
      payload: new TextEncoder().encode('a question of odd length!'),
      ...over,
    };
  }

  /** What the backend says to that. */
  answer(family: Family, asked: PacketShape, over: Partial<PacketShape> = {}): PacketShape {
    const ends = { source: family.alive, sourcePort: DNS_PORT, destination: asked.source };
    return { ...asked, ...ends, destinationPort: asked.sourcePort, ...over };
  }

  async close(): Promise<void> {
    this.programs.close();
    await this.#network.close();
  }
}
