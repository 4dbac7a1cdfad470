/**
 * A server that is its own upstream: by a loopback address, by an address that it listens on, by the node's stub resolver at
 * 127.0.0.53, or by the service that a policy sends back to it. With plugin `loop` it ends at once, without it every query
 * goes round until it times out.
 */
import { objectKey } from '../../../cluster/rows.ts';
import { parseIp } from '../../../net/ip.ts';
import type { Check, Finding } from '../../check.ts';
import { blockName, directivesOf, directiveText, type PlacedDirective } from '../../picture/corefiles.ts';
import { type DnsPicture, type DnsServer, dnsPicture, nodeCacheSwitches } from '../../picture/dns-picture.ts';
import { policiesFor } from '../../picture/redirects.ts';
import { forwardTargets, RESOLV_CONF } from '../../picture/upstreams.ts';
import { knownOr } from '../../site/known.ts';
import type { ResolvConfFact } from '../../site/node-facts.ts';
import type { Site } from '../../site/site.ts';

export const d09: Check = {
  id: 'D09',
  title: 'A DNS server has itself among its upstreams',
  pains: ['P16'],
  needs: {
    cluster: ['services', 'workloads', 'pods', 'configMaps', 'localRedirectPolicies'],
    node: ['resolvConf'],
  },
  run(site) {
    const picture = dnsPicture(site);
    return picture.servers.flatMap((server) => [
      ...directivesOf(server.corefiles, 'forward').flatMap((forward) => toItself(server, forward)),
      ...backByPolicy(site, picture, server),
      ...backByOwnResolver(picture, server),
      ...byNodeResolver(site, server),
    ]);
  },
};

function toItself(server: DnsServer, forward: PlacedDirective): readonly Finding[] {
  const own = listenAddresses(server, forward);
  const bad = forwardTargets(forward.directive, server).filter(
    ({ address, port }) =>
      address !== undefined && port === 53 && (isLoopback(address) || own.includes(address)),
  );
  if (bad.length === 0) return [];
  const list = bad.map(({ text }) => text).join(', ');
  return [
    finding(server, {
      evidence: [`${forward.place}, block ${blockName(forward)}: ${directiveText(forward)}`],
      cause: `${list} is the server itself, seen from its own network: what it forwards there comes back to it`,
      fix: 'Forward to the resolvers of the network or to a service in front of the cluster DNS that is not redirected',
    }),
  ];
}

function listenAddresses(server: DnsServer, { block }: PlacedDirective): readonly string[] {
  const bound = block.directives.filter(({ name }) => name.text === 'bind').flatMap(({ args }) => args);
  const given = [...bound.map(({ text }) => text), ...(nodeCacheSwitches(server)?.localIps ?? [])];
  // A pod that listens on an address without having it (its switches are off) reaches whoever has it.
  const makesThem = server.spec.hostNetwork || nodeCacheSwitches(server)?.setupInterface === true;
  return makesThem ? given.flatMap((text) => parseIp(text) ?? []) : [];
}

/** `-upstreamsvc kube-dns` while kube-dns is what is redirected to the cache. */
function backByPolicy(site: Site, picture: DnsPicture, server: DnsServer): readonly Finding[] {
  const switches = nodeCacheSwitches(server);
  if (
    switches === undefined ||
    !server.corefiles.some(({ text }) => text.includes('__PILLAR__CLUSTER__DNS__'))
  ) {
    return [];
  }
  const upstream = `${server.namespace}/${switches.upstreamService}`;
  const service = picture.services.find((row) => objectKey(row) === upstream);
  const policies = policiesFor(server, site.cluster, picture).filter(
    ({ matcher, row }) =>
      matcher.kind === 'service' && matcher.service === upstream && !row.skipRedirectFromBackend,
  );
  const held = service?.clusterIPs.find((address) => switches.localIps.includes(address));
  const hosted = held !== undefined && server.spec.hostNetwork && switches.setupInterface;
  if (policies.length === 0 && !hosted) return [];
  const how =
    policies[0] === undefined
      ? `-localip has its address ${held ?? ''}`
      : `policy ${policies[0].key} redirects it, also for the cache's own packets`;
  return [
    finding(server, {
      evidence: [`${server.name} forwards to -upstreamsvc ${switches.upstreamService}`, how],
      cause: `service ${upstream} leads back to the cache itself, so nothing that is not in the cache gets an answer`,
      fix: 'Make a second service with the same selector (kube-dns-upstream) and pass -upstreamsvc kube-dns-upstream',
    }),
  ];
}

/** dnsPolicy ClusterFirst makes resolv.conf name the service that is redirected to the cache. */
function backByOwnResolver(picture: DnsPicture, server: DnsServer): readonly Finding[] {
  const { dnsPolicy, hostNetwork } = server.spec;
  if (dnsPolicy !== 'ClusterFirst' || hostNetwork || server.spec.nameservers.length > 0) return [];
  const forward = directivesOf(server.corefiles, 'forward').find(usesResolvConf(server));
  const [service] = picture.services;
  if (forward === undefined || service === undefined) return [];
  return [
    finding(server, {
      evidence: [
        `${server.name} has dnsPolicy: ClusterFirst`,
        `${forward.place}, block ${blockName(forward)}: ${directiveText(forward)}`,
      ],
      cause: `its /etc/resolv.conf names service ${objectKey(service)}, and that leads to itself`,
      fix: 'Set dnsPolicy: Default, so that its resolv.conf is that of the node',
    }),
  ];
}

function byNodeResolver(site: Site, server: DnsServer): readonly Finding[] {
  if (server.spec.dnsPolicy !== 'Default') return [];
  const forward = directivesOf(server.corefiles, 'forward').find(usesResolvConf(server));
  if (forward === undefined) return [];
  const own = nodeCacheSwitches(server)?.localIps ?? [];
  // Kubelet may be told another file than the node's own. With plugin loop a server in a loop ends, so one that is ready is not.
  const guarded = directivesOf(server.corefiles, 'loop').length > 0;
  const suspects = server.pods.filter(({ ready }) => !(guarded && ready));
  const hosts = new Set(suspects.map(({ nodeName }) => nodeName));
  return site.nodes
    .filter(({ name }) => hosts.has(name))
    .flatMap(({ name, facts }) => {
      const resolver = knownOr<ResolvConfFact | undefined>(facts.resolvConf, undefined);
      const bad = (resolver?.nameservers ?? []).filter(
        (address) => isLoopback(address) || (server.spec.hostNetwork && own.includes(address)),
      );
      if (resolver === undefined || bad.length === 0) return [];
      // The stub of systemd-resolved answers on the host, and a pod of its own network cannot reach it.
      return [
        {
          ...finding(server, {
            evidence: [
              `${resolver.path} of node ${name} has nameserver ${bad.join(', ')}`,
              `${forward.place}, block ${blockName(forward)}: ${directiveText(forward)}`,
            ],
            cause: `in the pod ${bad.join(', ')} is the pod itself and not the stub resolver of the node`,
            fix: 'Give kubelet the real file: resolvConf: /run/systemd/resolve/resolv.conf in its configuration, then restart the pods',
          }),
          node: name,
        },
      ];
    });
}

function usesResolvConf(server: DnsServer): (forward: PlacedDirective) => boolean {
  return ({ directive }) => forwardTargets(directive, server).some(({ text }) => text === RESOLV_CONF);
}

function isLoopback(address: string): boolean {
  return /^127\.|^::1$/.test(address);
}

interface Words {
  readonly evidence: readonly string[];
  readonly cause: string;
  readonly fix: string;
}

function finding(server: DnsServer, { evidence, cause, fix }: Words): Finding {
  const guarded = directivesOf(server.corefiles, 'loop').length > 0;
  const effect = guarded
    ? 'plugin loop ends the server when it sees its own query again'
    : 'no block has plugin loop, so queries go round until they time out';
  return {
    id: 'D09',
    severity: 'broken',
    title: d09.title,
    object: server.name,
    evidence: [...evidence, effect],
    cause,
    fix: { kind: 'text', text: fix },
  };
}
