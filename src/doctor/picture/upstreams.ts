/** Where a `forward` sends what it cannot answer, with the words that node-cache puts in on its own. */
import type { Directive } from '../../corefile/ast.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { parseAddressPort } from '../../net/port.ts';
import { knownOr } from '../site/known.ts';
import type { NodeFacts } from '../site/node-facts.ts';
import type { Site } from '../site/site.ts';
import { blockName, directivesOf } from './corefiles.ts';
import { type DnsPicture, type DnsServer, dnsPicture, nodeCacheSwitches } from './dns-picture.ts';

export const RESOLV_CONF = '/etc/resolv.conf';

export interface ForwardTarget {
  /** As written; `/etc/resolv.conf` where node-cache would put that in. */
  readonly text: string;
  /** Absent for files, placeholders and names. */
  readonly address?: Ip;
  readonly port?: number;
}

/** The first argument is the zone. Options of the body name no servers. */
export function forwardTargets({ args }: Directive, server: DnsServer): readonly ForwardTarget[] {
  const isNodeCache = nodeCacheSwitches(server) !== undefined;
  return args.slice(1).map(({ text }) => {
    if (isNodeCache && text === '__PILLAR__UPSTREAM__SERVERS__') return { text: RESOLV_CONF };
    return { text, ...placeOf(text) };
  });
}

function placeOf(text: string): { address?: Ip; port?: number } {
  const scheme = /^([a-z]+):\/\//.exec(text)?.[1];
  const bare = text.replace(/^[a-z]+:\/\//, '').replace(/%[^:]*$/, '');
  const address = parseIp(bare);
  if (address !== undefined) return { address, port: scheme === 'tls' ? 853 : 53 };
  return parseAddressPort(bare) ?? {};
}

/** A server that a DNS server of a node asks on. */
export interface UpstreamServer {
  readonly address: Ip;
  readonly port: number;
  /** Who forwards there: `DaemonSet kube-system/node-local-dns, block cluster.local:53`. */
  readonly users: readonly string[];
  /** Each by TCP alone (`force_tcp`), or by UDP first. */
  readonly forcesTcp: boolean;
}

const MOST_UPSTREAMS = 16;

/**
 * Those of the DNS servers that run on the node, `facts` being the node's: what `probeUpstreams` is to be asked about. Names
 * and DNS over TLS are left out, and so are the node's own loopback addresses, which mean another server in a pod.
 */
export function upstreamServers(
  site: Site,
  { name, facts }: { readonly name: string; readonly facts: Pick<NodeFacts, 'resolvConf'> },
): readonly UpstreamServer[] {
  const picture = dnsPicture(site);
  const found = new Map<string, UpstreamServer>();
  for (const server of picture.servers.filter(({ pods }) => pods.some(({ nodeName }) => nodeName === name))) {
    for (const forward of directivesOf(server.corefiles, 'forward')) {
      const forcesTcp = forward.directive.body?.some((line) => line.name.text === 'force_tcp') === true;
      const user = `${server.name}, block ${blockName(forward)}`;
      for (const { address, port } of placesOf(forward.directive, { server, picture, facts })) {
        const key = `${address} ${port}`;
        const known = found.get(key);
        const users = [...new Set([...(known?.users ?? []), user])];
        found.set(key, { address, port, users, forcesTcp: forcesTcp || known?.forcesTcp === true });
      }
    }
  }
  return [...found.values()].slice(0, MOST_UPSTREAMS);
}

interface Forwarding {
  readonly server: DnsServer;
  readonly picture: DnsPicture;
  readonly facts: Pick<NodeFacts, 'resolvConf'>;
}

function placesOf(
  directive: Directive,
  { server, picture, facts }: Forwarding,
): readonly { readonly address: Ip; readonly port: number }[] {
  return forwardTargets(directive, server).flatMap(({ text, address, port = DNS_PORT }) => {
    if (address !== undefined) return port === TLS_PORT || isLoopback(address) ? [] : [{ address, port }];
    const addresses =
      text === RESOLV_CONF
        ? nodeResolvers(server, facts)
        : text === '__PILLAR__CLUSTER__DNS__'
          ? clusterUpstream(server, picture)
          : [];
    return addresses.map((one) => ({ address: one, port: DNS_PORT }));
  });
}

const DNS_PORT = 53;
const TLS_PORT = 853;

function isLoopback(address: string): boolean {
  return /^127\.|^::1$/.test(address);
}

/** Only dnsPolicy Default gives a pod the node's own file. */
function nodeResolvers({ spec }: DnsServer, { resolvConf }: Pick<NodeFacts, 'resolvConf'>): readonly Ip[] {
  if (spec.dnsPolicy !== 'Default' && !spec.hostNetwork) return [];
  return (knownOr(resolvConf, undefined)?.nameservers ?? [])
    .flatMap((text) => parseIp(text) ?? [])
    .filter((address) => !isLoopback(address));
}

function clusterUpstream(server: DnsServer, { services, upstreams }: DnsPicture): readonly Ip[] {
  const name = nodeCacheSwitches(server)?.upstreamService;
  return (
    [...upstreams, ...services].find((row) => row.namespace === server.namespace && row.name === name)
      ?.clusterIPs ?? []
  );
}
