/**
 * The proof itself: what a pod asks arrives at a cache of its own node, or does not. Says what was seen; why is said by the
 * checks of configuration, and by D02 who sent the packets elsewhere.
 */
import { formatAddressPort } from '../../../net/port.ts';
import type { Check, Finding, Fix } from '../../check.ts';
import { cachesOnNode, type NodeCache } from '../../picture/caches-on-node.ts';
import { dnsPicture } from '../../picture/dns-picture.ts';
import { redirectPolicyYaml } from '../../picture/redirects.ts';
import type { ProbeTrail } from '../../site/agent-facts.ts';
import { knownOr } from '../../site/known.ts';
import { isRefusedByWord, isServed } from '../../site/probe-answer.ts';
import type { NodeSite, Site } from '../../site/site.ts';
import { shellWord } from '../shell-word.ts';

export const d01: Check = {
  id: 'D01',
  title: 'Queries of pods do not arrive at the cache of their node',
  pains: ['P1', 'P2'],
  needs: { agent: ['probes'] },
  run: (site) => site.nodes.flatMap((node) => [...lost(node), ...elsewhere(site, node)]),
};

const TOLD = 5;

function elsewhere(site: Site, node: NodeSite): readonly Finding[] {
  const probes = knownOr(node.agent.probes, []);
  const passed = probes.filter(({ outcome, server }) => outcome === 'answered' && server?.cache === false);
  const [first] = passed;
  if (first === undefined) return [];
  const caches = cachesOnNode(site, node);
  const arrived = probes.filter(({ server }) => server?.cache === true).length;
  const common = { id: d01.id, severity: 'bypassed', node: node.name } as const;
  const counts = `${passed.length} of ${probes.length} probes were answered elsewhere, ${arrived} arrived at a cache of node ${node.name}`;
  const evidence = [counts, ...summed(passed, answeredText)];
  if (caches.length === 0) {
    return [
      {
        ...common,
        title: 'There is no DNS cache on the node',
        evidence: [
          ...evidence,
          `no pod of a node cache runs on ${node.name}, and no process of it listens on port 53 for others`,
        ],
        cause:
          'the node has no cache of its own, so every query goes to the cluster DNS, mostly on another node',
        fix: { kind: 'command', text: 'kubectl apply -k deploy/kustomize/overlays/cache-and-agent' },
      },
    ];
  }
  return [
    {
      ...common,
      title: d01.title,
      evidence: [
        ...evidence,
        `on ${node.name} it would have been ${caches
          .map(({ name }) => name)
          .slice(0, TOLD)
          .join(', ')}`,
      ],
      cause: `packets to ${first.target} leave the node, or are sent to another server, before they come to the cache`,
      fix: redirectFix(site, caches),
    },
  ];
}

function answeredText({ client, protocol, target, targetPort, server }: ProbeTrail): string {
  const by =
    server === undefined
      ? 'nobody knows whom'
      : (server.pod ?? formatAddressPort(server.address, server.port));
  const where = server?.node === undefined ? '' : ` on ${server.node}`;
  return `${client} asked ${formatAddressPort(target, targetPort)} by ${protocol}, and was answered by ${by}${where}`;
}

function redirectFix(site: Site, caches: readonly NodeCache[]): Fix {
  const server = caches.find((cache) => cache.server !== undefined)?.server;
  if (server !== undefined && !server.spec.hostNetwork)
    return { kind: 'yaml', text: redirectPolicyYaml(server, dnsPicture(site)) };
  const [cache] = caches;
  const addresses = cache?.addresses.join(' or ') ?? 'its address';
  return {
    kind: 'text',
    text: `Tell kubelet of the cache (clusterDNS: [${addresses}] in its configuration, then new pods), or let a CiliumLocalRedirectPolicy and the zerohop agent send queries there`,
  };
}

/** Each node once for each way to fail, so that a node whose DNS is dead is one finding and not one per pod. */
function lost({ name, agent }: NodeSite): readonly Finding[] {
  const probes = knownOr(agent.probes, []);
  const failed = probes.filter((probe) => !isServed(probe) || isRefusedByWord(probe));
  const groups = Map.groupBy(failed, (probe) => `${endOf(probe)} ${probe.target}`);
  return [...groups.values()].flatMap((group): readonly Finding[] => {
    const [first] = group;
    if (first === undefined) return [];
    const { outcome, target, client } = first;
    return [
      {
        id: 'D01',
        severity: isRefusedByWord(first) ? 'warning' : 'broken',
        title: TITLES[outcome],
        node: name,
        ...(new Set(group.map((probe) => probe.client)).size === 1 ? { pod: client } : {}),
        evidence: [
          `${group.length} of ${probes.length} probes to ${target}: ${endOf(first)}`,
          ...summed(group, lostText),
        ],
        cause: isRefusedByWord(first) ? CAUSE_OF_REFUSED : CAUSES[outcome],
        fix: { kind: 'command', text: lostFix(first) },
      },
    ];
  });
}

type Outcome = ProbeTrail['outcome'];

/** `SERVFAIL` of an answer, else what came instead of one. */
function endOf({ outcome, rcode }: ProbeTrail): string {
  return outcome === 'answered' ? (rcode ?? outcome) : outcome;
}

const TITLES: Readonly<Record<Outcome, string>> = {
  answered: 'Queries of pods are answered with an error',
  refused: 'Queries of pods are refused',
  timeout: 'Queries of pods get no answer',
  unreachable: 'Pods cannot send their queries',
};
const CAUSES: Readonly<Record<Outcome, string>> = {
  answered:
    'the server that is asked works and cannot answer: whom it asks itself is gone, or does not answer it',
  refused:
    'the packets end at an address where nobody listens: something sends them to a cache that does not serve',
  timeout: 'queries or their answers are dropped on the way, or the server that gets them is dead',
  unreachable: "the pod's own network does not let them out: no route, or a rule that drops what it sends",
};

const CAUSE_OF_REFUSED =
  "the server has no zone of the cluster's name, or a rule for names (a DNS proxy of the CNI) that the probe's is not among; names that it knows may work";

function lostText(probe: ProbeTrail): string {
  const { client, protocol, target, targetPort, steps } = probe;
  const last = steps.at(-1);
  const seen =
    last === undefined
      ? ''
      : `; last seen at ${last.hook}: ${last.verdict}${last.reason === undefined ? '' : `, ${last.reason}`}`;
  return `${client} by ${protocol} to ${formatAddressPort(target, targetPort)}: ${endOf(probe)}${seen}`;
}

/** What shows most: for what never left, the pod's own rules; for everything else the packets. */
function lostFix({ outcome, client, target, rcode }: ProbeTrail): string {
  const [namespace = '', name = ''] = client.split('/');
  if (outcome === 'unreachable')
    return [
      `kubectl exec -n ${shellWord(namespace)} ${shellWord(name)} -- ip route get ${shellWord(target)}`,
      `kubectl get networkpolicy -n ${shellWord(namespace)}`,
    ].join('\n');
  const which = outcome === 'answered' && rcode !== undefined ? ` --rcode ${shellWord(rcode)}` : '';
  return [
    `zerohop observe --pod ${shellWord(client)} --port 53${which} --last 20`,
    `kubectl get endpointslices -A -l k8s-app=kube-dns -o wide`,
  ].join('\n');
}

function summed(probes: readonly ProbeTrail[], say: (probe: ProbeTrail) => string): readonly string[] {
  const lines = [...new Set(probes.map(say))];
  return lines.length <= TOLD
    ? lines
    : [...lines.slice(0, TOLD), `and ${lines.length - TOLD} more like these`];
}
