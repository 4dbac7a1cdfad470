/** What is said of a probe by what was seen of it: the flows are those of a lab, the entries those of a kernel. */
import { describe, expect, it } from 'vitest';
import type { Endpoint, Flow } from '../../flow/api.ts';
import { sampleFlow } from '../../flow/testing/sample-flow.ts';
import type { ProbeServer, ProbeTrail } from '../site/agent-facts.ts';
import { known } from '../site/known.ts';
import type { ConntrackEntry, NodeFacts } from '../site/node-facts.ts';
import { unknownNodeFacts } from '../site/site.ts';
import { address, podOf } from '../testing/live-site.ts';
import { CLUSTER_DNS, POD_CACHE, siteOf } from '../testing/manifest-report.ts';
import { followProbes } from './follow-probes.ts';

const VIP = '10.96.0.10';
const CLIENT = '172.20.1.25';
const CACHE = '172.20.1.24';
const COREDNS = '172.20.0.23';
const PORT = 45454;
const SITE = siteOf(
  CLUSTER_DNS,
  POD_CACHE,
  podOf('DaemonSet kube-system/node-local-dns', 'node-local-dns-w1', { node: 'w1', ip: CACHE }),
  podOf('Deployment kube-system/coredns', 'coredns-a', { node: 'w2', ip: COREDNS }),
);
const CACHE_POD: Endpoint = { namespace: 'kube-system', pod_name: 'node-local-dns-w1' };
const COREDNS_POD: Endpoint = { namespace: 'kube-system', pod_name: 'coredns-a' };

const trail: ProbeTrail = {
  ...{ tag: 't', node: 'w1', client: 'default/netshoot', protocol: 'UDP' },
  ...{ target: address(VIP), targetPort: 53, outcome: 'answered', steps: [] },
};

interface Sighting extends Partial<Flow> {
  readonly to: string;
  readonly node?: string;
}

let moment = 0;
function flow({ to, node = 'w1', ...fields }: Sighting): Flow {
  moment++;
  return sampleFlow({
    time: `2026-11-23T01:51:17.${String(moment).padStart(3, '0')}Z`,
    IP: { source: CLIENT, destination: to, ipVersion: 'IPv4' },
    l4: { UDP: { source_port: PORT, destination_port: 53 } },
    destination: {},
    node_name: node,
    ...fields,
  });
}

const leaves = (to = VIP) => flow({ to, interface: { index: 5, name: 'lxc1' } });
const arrives = (to: string, node: string, destination: Endpoint) =>
  flow({ to, node, destination, event_type: { type: 4 } });
const translated = (to: string, destination: Endpoint) =>
  flow({
    ...{ to, destination, verdict: 'TRANSLATED', event_type: { type: 7, sub_type: 2 } },
    sock_xlate_point: 'SOCK_XLATE_POINT_POST_DIRECTION_FWD',
  });

function entry(replySource: string): ConntrackEntry {
  return {
    ...{ protocol: 'UDP', source: address(CLIENT), sourcePort: PORT, destination: address(VIP) },
    ...{ destinationPort: 53, replySource: address(replySource), replySourcePort: 53 },
    ...{ unreplied: false, timeoutSeconds: 30 },
  };
}

const tracked = (...entries: readonly ConntrackEntry[]): Partial<NodeFacts> => ({
  conntrack: known({ counters: {}, entries, entriesOmitted: 0 }),
});

function follow(
  flows: readonly Flow[],
  facts: Partial<NodeFacts> = {},
  over: Partial<ProbeTrail> = {},
): ProbeTrail {
  const probes = {
    trails: [{ ...trail, ...over }],
    origins: { t: { addresses: [address(CLIENT)], port: PORT } },
    skipped: [],
  };
  const node = { name: 'w1', facts: { ...unknownNodeFacts('not looked at'), ...facts }, probes };
  const [found] = followProbes(SITE, [node], flows).get('w1') ?? [];
  if (found === undefined) throw new Error('The trail is gone');
  return found;
}

const serverOf = (flows: readonly Flow[], facts?: Partial<NodeFacts>, over?: Partial<ProbeTrail>) =>
  follow(flows, facts, over).server as Partial<ProbeServer> | undefined;

describe('followProbes', () => {
  it('sees a redirect at the interface of the pod, and the cache of the own node behind it', () => {
    const found = follow([leaves(), translated(CACHE, CACHE_POD), arrives(CACHE, 'w1', CACHE_POD)]);
    expect(found.steps).toMatchObject([
      { hook: 'pod', verdict: 'passed', destination: VIP, reason: 'left its pod by lxc1' },
      { hook: 'tc', verdict: 'redirected', destination: CACHE, reason: `to ${CACHE}:53 by zerohop` },
      { hook: 'cache', verdict: 'arrived', reason: 'at kube-system/node-local-dns-w1' },
    ]);
    expect(found.server).toEqual({
      ...{ address: CACHE, port: 53, pod: 'kube-system/node-local-dns-w1', node: 'w1', cache: true },
    });
  });

  it('takes a translation of what leaves its pod translated for one at the socket', () => {
    const steps = follow([
      translated(CACHE, CACHE_POD),
      leaves(CACHE),
      arrives(CACHE, 'w1', CACHE_POD),
    ]).steps;
    expect(steps.map(({ hook }) => hook)).toEqual(['socket', 'pod', 'cache']);
  });

  it('finds the server on another node by what that node saw, and who sent it there in between', () => {
    const found = follow(
      [arrives(COREDNS, 'w2', COREDNS_POD), leaves()].toReversed(),
      tracked(entry(COREDNS)),
    );
    expect(found.steps.map(({ hook, verdict }) => `${hook} ${verdict}`)).toEqual([
      'pod passed',
      'conntrack dnat',
      'cluster-dns arrived',
    ]);
    expect(found.steps.at(-1)?.reason).toBe('at kube-system/coredns-a on w2');
    expect(found.server).toMatchObject({ pod: 'kube-system/coredns-a', node: 'w2', cache: false });
  });

  it('tells why a redirect left it alone', () => {
    const left = leaves();
    const fellBack = flow({
      ...{ to: VIP, verdict: 'TRACED', event_type: { type: 7, sub_type: 1 } },
      sock_xlate_point: 'SOCK_XLATE_POINT_PRE_DIRECTION_FWD',
      Summary: 'UDP fell back: no-socket, no socket is bound at any backend',
    });
    expect(follow([left, fellBack]).steps[1]).toMatchObject({
      ...{ hook: 'tc', verdict: 'fell back', reason: 'no-socket, no socket is bound at any backend' },
    });
  });

  it('takes what the kernel answered for entered, and for answered by nobody else', () => {
    const left = leaves();
    const answered = flow({
      ...{ to: VIP, verdict: 'TRACED', event_type: { type: 7, sub_type: 1 } },
      sock_xlate_point: 'SOCK_XLATE_POINT_PRE_DIRECTION_FWD',
      Summary: 'UDP answered by the kernel',
    });
    const found = follow([left, answered], tracked(entry(COREDNS)));
    expect(found.steps[1]).toMatchObject({ hook: 'tc', verdict: 'answered', reason: 'by the kernel' });
    expect(found.server).toEqual({ address: VIP, port: 53, node: 'w1', cache: true, kernel: true });
  });

  it('tells of one packet of a connection, not of all', () => {
    const tcp = { l4: { TCP: { source_port: PORT, destination_port: 53 } } };
    const flows = [1, 2, 3].map(() => flow({ to: VIP, ...tcp }));
    expect(follow(flows, {}, { protocol: 'TCP' }).steps).toHaveLength(1);
    expect(follow(flows).steps).toEqual([]);
  });

  it('leaves out what is not its own', () => {
    const other = { source_port: PORT + 1, destination_port: 53 };
    const reply = { ...leaves(), is_reply: true };
    expect(follow([flow({ to: VIP, l4: { UDP: other } }), reply])).toEqual(trail);
  });

  describe('without an agent', () => {
    it('goes by what connection tracking remembers', () => {
      expect(serverOf([], tracked(entry(COREDNS)))).toMatchObject({
        pod: 'kube-system/coredns-a',
        cache: false,
      });
      expect(serverOf([], tracked(entry(CACHE)))).toMatchObject({ node: 'w1', cache: true });
    });

    it('leaves it to what else the node shows who has an address of the node itself', () => {
      const dummy = { ifindex: 9, name: 'nodelocaldns', kind: 'dummy', up: true, addresses: [address(VIP)] };
      const bound = { interfaces: known([dummy]) };
      expect(serverOf([], bound)).toBeUndefined();
      // The address is there, and a rule sent the packet past it.
      expect(serverOf([], { ...bound, ...tracked(entry(COREDNS)) })).toMatchObject({ cache: false });
    });

    it('believes the socket that was turned to somebody else at connect()', () => {
      const turned = {
        ...{ hook: 'socket', verdict: 'redirected', reason: `to ${COREDNS}:53 at connect()` },
        ...{ destination: address(COREDNS), destinationPort: 53 },
      };
      expect(serverOf([], {}, { steps: [turned] })).toMatchObject({
        ...{ pod: 'kube-system/coredns-a', node: 'w2', cache: false },
      });
    });

    it('says nothing where a service was asked and nobody saw who answered', () => {
      expect(serverOf([], tracked())).toBeUndefined();
      expect(serverOf([], tracked(entry(VIP)))).toBeUndefined();
    });

    it('takes a server that was asked by its own address at its word', () => {
      expect(serverOf([], {}, { target: address(CACHE) })).toMatchObject({ cache: true, node: 'w1' });
      expect(serverOf([], {}, { target: address('192.0.2.53') })).toMatchObject({ cache: false });
    });
  });

  it('does not guess who has an address that no node but this one could have', () => {
    const asked = { target: address('169.254.20.10') };
    expect(follow([], {}, asked).server).toBeUndefined();
    const peer = { destination: address(CACHE), destinationPort: 53, reason: 'at connect()' };
    const steps = [{ hook: 'socket', verdict: 'redirected', ...peer }];
    expect(follow([], {}, { ...asked, steps }).server).toMatchObject({ address: CACHE, cache: true });
  });
});
