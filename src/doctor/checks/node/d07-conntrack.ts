/**
 * What connection tracking does to DNS: packets lost by races and by a full table, and connections that stay with a server
 * that is gone, which every retry from the same port meets again.
 */
import type { Check, Finding } from '../../check.ts';
import { dnsPicture } from '../../picture/dns-picture.ts';
import { holdersOf } from '../../picture/service-interfaces.ts';
import { isKnown, knownOr } from '../../site/known.ts';
import type { ConntrackEntry, ConntrackFact, NodeFacts } from '../../site/node-facts.ts';
import type { Site } from '../../site/site.ts';

export const d07: Check = {
  id: 'D07',
  title: 'Connection tracking loses queries',
  pains: ['P11', 'P12'],
  needs: { node: ['conntrack'] },
  run: (site) =>
    site.nodes.flatMap(({ name, facts: { conntrack, interfaces } }) =>
      isKnown(conntrack)
        ? [
            ...losses(name, conntrack.value),
            ...full(name, conntrack.value),
            ...stale(name, { entries: conntrack.value.entries, interfaces }, site),
          ]
        : [],
    ),
};

const AVOID_TRACKING =
  'Let queries reach a cache on the node without being tracked: zerohop redirects them ahead of connection tracking';
/** Of the table; above it the kernel soon throws out connections that are alive. */
const FULL_SHARE = 0.8;

const LOST = [
  {
    counter: 'insert_failed',
    cause:
      'two packets of one connection came at once (A and AAAA from one port), and one of them was dropped; the client waits 5 s',
  },
  {
    counter: 'drop',
    cause: 'packets were dropped because there was no room or no memory for their connection',
  },
  { counter: 'early_drop', cause: 'connections were thrown out to make room for others' },
] as const;

/** Only what was lost while we looked: numbers since boot may be years old. */
function losses(node: string, { counters, before }: ConntrackFact): readonly Finding[] {
  if (before === undefined) return [];
  const seconds = (before.agoMs / 1000).toFixed(1);
  return LOST.flatMap(({ counter, cause }): readonly Finding[] => {
    const grown = (counters[counter] ?? 0) - (before.counters[counter] ?? 0);
    if (grown <= 0) return [];
    const evidence = [`${counter} +${grown} in ${seconds} s, ${counters[counter]} since boot`];
    const fix = { kind: 'text', text: AVOID_TRACKING } as const;
    return [{ id: 'D07', severity: 'warning', title: d07.title, node, evidence, cause, fix }];
  });
}

function full(node: string, { count, max }: ConntrackFact): readonly Finding[] {
  if (count === undefined || max === undefined || max === 0 || count < max * FULL_SHARE) return [];
  return [
    {
      id: 'D07',
      severity: count >= max ? 'broken' : 'warning',
      title: 'The table of connections is nearly full',
      node,
      evidence: [`nf_conntrack_count ${count} of nf_conntrack_max ${max}`],
      cause: 'when it is full, packets of new connections are dropped, and every query is one',
      fix: { kind: 'command', text: `sysctl -w net.netfilter.nf_conntrack_max=${max * 2}` },
    },
  ];
}

/** Of queries to a service of DNS: answered by nobody that is an endpoint of it. */
function stale(
  node: string,
  { entries, interfaces }: Pick<ConntrackFact, 'entries'> & Pick<NodeFacts, 'interfaces'>,
  site: Site,
): readonly Finding[] {
  const { services, upstreams } = dnsPicture(site);
  if (!isKnown(site.cluster.endpointSlices) || services.length === 0) return [];
  const all = [...services, ...upstreams];
  const asked = new Set<string>(all.flatMap(({ clusterIPs }) => clusterIPs));
  const alive = new Set<string>(
    knownOr(site.cluster.endpointSlices, [])
      .filter((slice) =>
        all.some(({ name, namespace }) => slice.serviceName === name && slice.namespace === namespace),
      )
      .flatMap(({ endpoints }) => endpoints.flatMap(({ addresses }) => addresses)),
  );
  const dead = entries.filter(
    ({ destination, replySource, protocol, unreplied }) =>
      asked.has(destination) &&
      replySource !== destination &&
      !alive.has(replySource) &&
      // A cache of the node, to which somebody's rule translates.
      holdersOf(interfaces, replySource).length === 0 &&
      // What is left of TCP after its end waits for nobody, and a new connection has a port of its own.
      (protocol === 'UDP' || unreplied),
  );
  return dead.length === 0 ? [] : [staleFinding(node, dead)];
}

function staleFinding(node: string, dead: readonly ConntrackEntry[]): Finding {
  const waiting = dead.filter(({ unreplied }) => unreplied).length;
  const gone = [...new Set(dead.map(({ replySource }) => replySource))];
  return {
    id: 'D07',
    severity: waiting > 0 ? 'broken' : 'warning',
    title: 'Connections of DNS lead to a server that is gone',
    node,
    evidence: [
      `${dead.length} connections lead to ${gone.slice(0, 3).join(', ')}, which is no endpoint; ${waiting} of them wait for an answer`,
      ...dead
        .slice(0, 3)
        .map(
          ({ source, sourcePort, destination, replySource, timeoutSeconds }) =>
            `${source}:${sourcePort} asked ${destination}, tracked to ${replySource} for ${timeoutSeconds} s more`,
        ),
    ],
    cause: 'retries from the same port follow the old translation until it times out, and each renews it',
    fix: {
      kind: 'command',
      text: [...new Set(dead.map(deletion))].join('\n'),
    },
  };
}

/** conntrack(8) knows ports only behind the protocol that has them. */
function deletion({ protocol, replySource }: ConntrackEntry): string {
  return `conntrack -D -p ${protocol.toLowerCase()} --orig-port-dst 53 --reply-src ${replySource}`;
}
