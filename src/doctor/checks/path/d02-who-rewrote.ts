/**
 * Who gave queries another destination than the cache of their node: zerohop itself when it fell back, a load balancer at
 * the sockets or at the pods' interfaces, Open vSwitch, IPVS, or rules of netfilter.
 */
import type { Ip } from '../../../net/ip.ts';
import type { Check, Finding, Fix } from '../../check.ts';
import { cachesOnNode, type NodeCache } from '../../picture/caches-on-node.ts';
import { dnsPicture } from '../../picture/dns-picture.ts';
import { redirectPolicyYaml } from '../../picture/redirects.ts';
import { likeliest, type Rewriter, rewritersOf } from '../../picture/rewriters.ts';
import { holdersOf } from '../../picture/service-interfaces.ts';
import type { ProbeTrail } from '../../site/agent-facts.ts';
import { knownOr } from '../../site/known.ts';
import type { NodeSite, Site } from '../../site/site.ts';
import { notrackCommand } from '../rule-commands.ts';

export const d02: Check = {
  id: 'D02',
  title: 'Somebody sends queries elsewhere before the cache of the node sees them',
  pains: ['P1', 'P3', 'P4'],
  needs: { agent: ['probes'] },
  run: (site) => site.nodes.flatMap((node) => findings(site, node)),
};

function findings(site: Site, node: NodeSite): readonly Finding[] {
  const passed = knownOr(node.agent.probes, []).filter(
    ({ outcome, server }) => outcome === 'answered' && server?.cache === false,
  );
  const caches = cachesOnNode(site, node);
  // Without a cache there is nothing that they were kept from.
  if (caches.length === 0) return [];
  const fellBack = passed.filter((probe) => fallBackOf(probe) !== undefined);
  const others = passed.filter((probe) => fallBackOf(probe) === undefined);
  const targets = Map.groupBy(others, ({ target }) => target);
  return [
    ...(fellBack.length === 0 ? [] : [fallBackFinding(node, fellBack)]),
    ...[...targets].flatMap(([target, probes]) => rewrittenFinding(site, node, { target, probes, caches })),
  ];
}

function fallBackOf({ steps }: ProbeTrail): string | undefined {
  return steps.find(({ verdict }) => verdict === 'fell back')?.reason;
}

function fallBackFinding(node: NodeSite, probes: readonly ProbeTrail[]): Finding {
  const reasons = [...new Set(probes.flatMap((probe) => fallBackOf(probe) ?? []))];
  return {
    id: 'D02',
    severity: 'bypassed',
    title: 'The redirect leaves queries alone because the cache does not serve them',
    node: node.name,
    evidence: reasons.slice(0, 4).map((reason) => `${probes.length} probes fell back: ${reason}`),
    cause: `zerohop falls back to the cluster DNS while no cache on the node can take a query (${reasons[0] ?? 'no reason given'}); pods are answered meanwhile`,
    fix: {
      kind: 'command',
      text: ['kubectl get pods -A -o wide -l k8s-app=node-local-dns', 'zerohop lrp list'].join('\n'),
    },
  };
}

interface Rewritten {
  readonly target: Ip;
  readonly probes: readonly ProbeTrail[];
  readonly caches: readonly NodeCache[];
}

function rewrittenFinding(
  site: Site,
  node: NodeSite,
  { target, probes, caches }: Rewritten,
): readonly Finding[] {
  const client = clientAddress(probes);
  const rewriter = likeliest(rewritersOf(node.facts, target, client));
  const stepped = [...new Set(probes.flatMap(stepTexts))].slice(0, 3);
  if (rewriter === undefined && stepped.length === 0) return [];
  const all = probes.length === 1 ? 'one probe' : `${probes.length} probes`;
  return [
    {
      id: 'D02',
      severity: 'bypassed',
      title: d02.title,
      node: node.name,
      evidence: [
        `${all} to ${target} ended at ${ends(probes)}`,
        ...stepped,
        ...(rewriter?.evidence ?? []).filter((line) => !stepped.includes(line)),
      ],
      cause: causeOf(rewriter, target),
      fix: fixOf(site, node, { rewriter, target, caches }),
    },
  ];
}

function causeOf(rewriter: Rewriter | undefined, target: Ip): string {
  if (rewriter === undefined)
    return `packets to ${target} were given another destination on their way, where the evidence says`;
  const what = `packets to ${target} to a server of the whole cluster`;
  return rewriter.seen
    ? `${rewriter.who} sent ${what}`
    : `by all that can be seen, ${rewriter.who} sends ${what}`;
}

function clientAddress(probes: readonly ProbeTrail[]): Ip | undefined {
  return probes.flatMap(({ steps }) => steps.flatMap(({ source }) => source ?? []))[0];
}

function ends(probes: readonly ProbeTrail[]): string {
  const servers = probes.map(({ server }) => {
    const where = server?.node === undefined ? '' : ` on ${server.node}`;
    return `${server?.pod ?? server?.address ?? 'an unknown server'}${where}`;
  });
  return [...new Set(servers)].slice(0, 4).join(', ');
}

const REWRITES: readonly string[] = ['dnat', 'redirected'];

function stepTexts({ steps }: ProbeTrail): readonly string[] {
  return steps
    .filter(({ verdict }) => REWRITES.includes(verdict))
    .map(({ hook, verdict, destination, reason }) => `${hook}: ${verdict} ${reason ?? `to ${destination}`}`);
}

function fixOf(
  site: Site,
  node: NodeSite,
  { rewriter, target, caches }: { rewriter: Rewriter | undefined; target: Ip; caches: readonly NodeCache[] },
): Fix {
  const picture = dnsPicture(site);
  const pods = caches.find(({ server }) => server !== undefined && !server.spec.hostNetwork)?.server;
  if (pods !== undefined) return { kind: 'yaml', text: redirectPolicyYaml(pods, picture) };
  const command = rewriter?.kind === 'netfilter' ? notrackCommand(target, node.facts) : undefined;
  if (command !== undefined) return { kind: 'command', text: command };
  const calico = rewriter?.owner === 'calico' ? calicoFix(node, target) : undefined;
  if (calico !== undefined) return calico;
  const why = rewriter === undefined ? '' : `, because ${rewriter.who} comes before every rule of the node`;
  return {
    kind: 'text',
    text: `Run the cache as a pod of its own network (-setupinterface=false -setupiptables=false) with a CiliumLocalRedirectPolicy for ${target}${why}; or tell kubelet of the cache's link-local address`,
  };
}

/** For all nodes at once, and a patch would take the place of the list that is there: so it is no command to paste. */
function calicoFix({ facts }: NodeSite, target: Ip): Fix | undefined {
  if (holdersOf(facts.interfaces, target).length === 0) return undefined;
  const length = target.includes(':') ? 128 : 32;
  return {
    kind: 'text',
    text: `Where every node has the cache at ${target}: kubectl edit felixconfiguration default, and add "${target}/${length}" to bpfExcludeCIDRsFromNAT; a node without one would have no DNS`,
  };
}
