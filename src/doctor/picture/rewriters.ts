/**
 * Who on a node gives packets for an address another destination, and where: by what connection tracking remembers of them,
 * and else by whose programs and rules stand in their way. The order is the one packets meet them in.
 */
import type { Ip } from '../../net/ip.ts';
import { isKnown, knownOr } from '../site/known.ts';
import type { ConntrackEntry, NodeFacts } from '../site/node-facts.ts';

export interface Rewriter {
  readonly kind: 'socket' | 'tc' | 'ovs' | 'ipvs' | 'netfilter';
  /** `Cilium's socket load balancing`; the middle of a sentence. */
  readonly who: string;
  readonly owner: 'cilium' | 'calico' | 'kube-proxy' | 'ovs' | 'unknown';
  readonly evidence: readonly string[];
  /** It was seen to do so with a packet to the address, and not only that it is there. */
  readonly seen: boolean;
}

/** Programs by the names they have in the kernel, which are cut at fifteen characters. */
const OWNERS = [
  { owner: 'cilium', name: 'Cilium', program: /^(cil_|sock[46]_(connect|sendmsg|post_bind|recvmsg))/ },
  { owner: 'calico', name: 'Calico', program: /^cali/ },
] as const;

/** `client`: the address whose packets are meant; absent for anybody's. */
export function rewritersOf(facts: NodeFacts, target: Ip, client?: Ip): readonly Rewriter[] {
  return [
    ...byProgram(facts, 'socket', /^cgroup (connect|sendmsg)/, "'s socket load balancing at connect()"),
    ...byProgram(facts, 'tc', /^(?!cgroup)/, "'s programs at the pods' interfaces"),
    ...byOvs(facts),
    ...byIpvs(facts, target),
    ...byNetfilter(facts, target, client),
  ];
}

/** The one that did it, or else the first that would. */
export function likeliest(rewriters: readonly Rewriter[]): Rewriter | undefined {
  return rewriters.find(({ seen }) => seen) ?? rewriters[0];
}

function byProgram(
  { hooks }: NodeFacts,
  kind: 'socket' | 'tc',
  place: RegExp,
  how: string,
): readonly Rewriter[] {
  const there = knownOr(hooks, []).filter((hook) => place.test(hook.place));
  return OWNERS.flatMap(({ owner, name, program }): readonly Rewriter[] => {
    const evidence = there.flatMap((hook) =>
      hook.owners
        .filter((one) => program.test(one.name))
        .map((one) => `${hook.place}: program ${one.name} (id ${one.id})`),
    );
    return evidence.length === 0
      ? []
      : [{ kind, owner, who: `${name}${how}`, evidence: evidence.slice(0, 2), seen: false }];
  });
}

const OVS_INTERFACE = /^(ovs-system|br-int|antrea-gw\d*|ovn-k8s-mp\d*)$/;

function byOvs({ interfaces }: NodeFacts): readonly Rewriter[] {
  const found = knownOr(interfaces, []).filter(
    ({ name, kind }) => kind === 'openvswitch' || OVS_INTERFACE.test(name),
  );
  if (found.length === 0) return [];
  const evidence = found
    .slice(0, 2)
    .map(({ name, kind }) => `interface ${name}${kind === '' ? '' : ` of kind ${kind}`}`);
  return [
    {
      kind: 'ovs',
      owner: 'ovs',
      who: "Open vSwitch's flow table before the host's stack",
      evidence,
      seen: false,
    },
  ];
}

function byIpvs({ proxy }: NodeFacts, target: Ip): readonly Rewriter[] {
  if (!isKnown(proxy) || !proxy.value.ipvsAddresses.includes(target)) return [];
  const evidence = [
    `${target} is an address of kube-ipvs0`,
    `kube-proxy is in mode ${proxy.value.mode} (${proxy.value.evidence})`,
  ];
  return [
    {
      kind: 'ipvs',
      owner: 'kube-proxy',
      who: 'IPVS where packets for the host come in',
      evidence,
      seen: false,
    },
  ];
}

function byNetfilter(facts: NodeFacts, target: Ip, client: Ip | undefined): readonly Rewriter[] {
  const entry = translatedEntry(facts, target, client);
  const rules = knownOr(facts.rules, []).filter(
    ({ destination, verdict }) =>
      destination === target && (verdict === 'dnat' || verdict === 'jump' || verdict === 'goto'),
  );
  if (entry === undefined && rules.length === 0) return [];
  const mode = knownOr(facts.proxy, undefined)?.mode ?? 'none';
  const isProxy = mode === 'iptables' || mode === 'nftables';
  return [
    {
      kind: 'netfilter',
      owner: isProxy ? 'kube-proxy' : 'unknown',
      who: isProxy
        ? `kube-proxy with its rules (mode ${mode})`
        : 'a rule of netfilter that translates addresses',
      evidence: [
        ...(entry === undefined
          ? []
          : [`connection tracking: ${entry.source} asked ${target}, ${entry.replySource} answers`]),
        ...rules.slice(0, 1).map(({ backend, text }) => `${backend}: ${text}`),
      ],
      seen: entry !== undefined,
    },
  ];
}

/** What connection tracking remembers of a translated query; of the client's own where one is named. */
export function translatedEntry(
  { conntrack }: Pick<NodeFacts, 'conntrack'>,
  target: Ip,
  client?: Ip,
): ConntrackEntry | undefined {
  return knownOr(conntrack, undefined)?.entries.find(
    ({ source, destination, replySource }) =>
      destination === target && replySource !== target && (client === undefined || source === client),
  );
}
