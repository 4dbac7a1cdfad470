/**
 * The servers that a cache forwards to, asked from the node by both protocols. A cache of the stock manifest asks for names
 * of the cluster by TCP alone: where a firewall knows DNS as UDP, everything that is not cached fails.
 */
import { formatAddressPort } from '../../../net/port.ts';
import type { Check, Finding, Fix, Severity } from '../../check.ts';
import { type UpstreamServer, upstreamServers } from '../../picture/upstreams.ts';
import type { UpstreamAnswer, UpstreamProbe } from '../../site/agent-facts.ts';
import { knownOr } from '../../site/known.ts';
import type { NodeSite, Site } from '../../site/site.ts';

export const d11: Check = {
  id: 'D11',
  title: 'An upstream does not answer by UDP and TCP alike',
  pains: ['P27'],
  needs: { agent: ['upstreams'] },
  run: (site) => site.nodes.flatMap((node) => findings(site, node)),
};

function findings(site: Site, node: NodeSite): readonly Finding[] {
  const servers = upstreamServers(site, node);
  return knownOr(node.agent.upstreams, []).flatMap((probe) => {
    const user = servers.find(({ address, port }) => address === probe.address && port === probe.port);
    const trouble = troubleOf(probe, user);
    return trouble === undefined ? [] : [finding(node, { probe, user, trouble })];
  });
}

interface Trouble {
  readonly severity: Severity;
  readonly title: string;
  readonly cause: string;
  readonly fix: (where: string) => Fix;
}

function troubleOf(probe: UpstreamProbe, user: UpstreamServer | undefined): Trouble | undefined {
  const { udp, tcp, tcpResetAfterMs } = probe;
  const byUdp = udp.outcome === 'answered';
  const byTcp = tcp.outcome === 'answered';
  if (!byUdp && !byTcp) {
    const cause =
      'the server is gone, or nothing from this node reaches it; what is not in the cache fails when it is its turn';
    return { severity: 'broken', title: 'An upstream does not answer', cause, fix: digBoth(probe) };
  }
  if (!byTcp) {
    const forced = user?.forcesTcp === true;
    const how = forced
      ? 'force_tcp makes the cache ask it by TCP alone'
      : 'answers that are too large for UDP are asked for again by TCP';
    const cause = `UDP works and TCP does not: ${how}, and a firewall or the server itself takes no TCP on port ${probe.port}`;
    return {
      severity: forced ? 'broken' : 'warning',
      title: d11.title,
      cause,
      fix: forced ? preferUdp : digBoth(probe),
    };
  }
  if (!byUdp) {
    const forced = user?.forcesTcp === true;
    const cause = `TCP works and UDP does not: something on the way drops UDP to port ${probe.port}${forced ? '; force_tcp keeps the cache from noticing' : ', which is what is asked by first'}`;
    return { severity: forced ? 'info' : 'broken', title: d11.title, cause, fix: forceTcp };
  }
  if (tcpResetAfterMs === undefined) return undefined;
  return {
    severity: 'warning',
    title: 'An upstream resets connections that are idle',
    cause:
      'a cache keeps its connections for the next query (expire 10s); one that was reset meanwhile costs a query and its retry',
    fix: shortExpire,
  };
}

const EDIT = 'kubectl edit configmap -n kube-system node-local-dns';

function preferUdp(where: string): Fix {
  return {
    kind: 'command',
    text: `${EDIT} # in ${where}: take force_tcp out of forward, or put prefer_udp in its place`,
  };
}

function forceTcp(where: string): Fix {
  return {
    kind: 'command',
    text: `${EDIT} # in ${where}: put force_tcp into forward until UDP passes again`,
  };
}

function shortExpire(where: string): Fix {
  return { kind: 'command', text: `${EDIT} # in ${where}: put "expire 1s" into forward` };
}

function digBoth({ address, port }: UpstreamProbe): () => Fix {
  const commands = ['', ' +tcp'].map((how) => `dig @${address} -p ${port}${how} +tries=1 +time=2 . NS`);
  return () => ({ kind: 'command', text: commands.join('\n') });
}

interface Judged {
  readonly probe: UpstreamProbe;
  readonly user: UpstreamServer | undefined;
  readonly trouble: Trouble;
}

function finding(node: NodeSite, { probe, user, trouble }: Judged): Finding {
  const { address, port, udp, tcp, tcpResetAfterMs } = probe;
  const users = user?.users ?? [];
  return {
    id: 'D11',
    severity: trouble.severity,
    title: trouble.title,
    node: node.name,
    evidence: [
      `${formatAddressPort(address, port)} by UDP: ${answerText(udp)}; by TCP: ${answerText(tcp)}`,
      ...(tcpResetAfterMs === undefined
        ? []
        : [`it reset the connection ${tcpResetAfterMs} ms after it was opened`]),
      ...users.slice(0, 3).map((text) => `asked by ${text}${user?.forcesTcp === true ? ' (force_tcp)' : ''}`),
    ],
    cause: trouble.cause,
    fix: trouble.fix(users[0]?.replace(/^.*, (block)/, '$1') ?? 'the block that forwards there'),
  };
}

function answerText({ outcome, rcode, reason, latencyMs }: UpstreamAnswer): string {
  const time = latencyMs === undefined ? '' : ` in ${latencyMs.toFixed(0)} ms`;
  return outcome === 'answered'
    ? `${rcode ?? 'answered'}${time}`
    : `${outcome}${reason === undefined ? '' : ` (${reason})`}`;
}
