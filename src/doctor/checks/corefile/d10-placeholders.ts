/**
 * A manifest that was not filled in: `__PILLAR__` words that nobody replaces, an empty -localip, an upstream service that is
 * not there, a forward without servers, a Corefile that does not parse.
 */
import { objectKey } from '../../../cluster/rows.ts';
import { parseIp } from '../../../net/ip.ts';
import type { Check, Finding, Fix } from '../../check.ts';
import { directivesOf, directiveText, placeOf } from '../../picture/corefiles.ts';
import { type DnsServer, dnsPicture, nodeCacheSwitches } from '../../picture/dns-picture.ts';
import { knownOr } from '../../site/known.ts';
import type { Site } from '../../site/site.ts';
import { shellWord } from '../shell-word.ts';

export const d10: Check = {
  id: 'D10',
  title: 'A placeholder is left, or what it stands for is not there',
  pains: ['P30'],
  needs: { cluster: ['services', 'workloads', 'pods', 'configMaps'] },
  run(site) {
    return dnsPicture(site).servers.flatMap((server) => [
      ...leftInCorefile(server),
      ...leftInArguments(server),
      ...badLocalIps(server),
      ...withoutServers(server),
      ...upstreamService(site, server),
    ]);
  },
};

/** What node-cache replaces while it runs (node-local-dns, template rendering); every other one is for the installer. */
const RUNTIME = [
  '__PILLAR__CLUSTER__DNS__',
  '__PILLAR__UPSTREAM__SERVERS__',
  '__PILLAR__LOCAL__DNS__',
  '__PILLAR__DNS__SERVER__',
];

const FILL_IN: Fix = {
  kind: 'command',
  text: [
    "kubedns=$(kubectl get svc kube-dns -n kube-system -o jsonpath='{.spec.clusterIP}')",
    'sed -i "s/__PILLAR__LOCAL__DNS__/169.254.20.10/g; s/__PILLAR__DNS__DOMAIN__/cluster.local/g; s/__PILLAR__DNS__SERVER__/$kubedns/g" node-local-dns.yaml',
  ].join('\n'),
};

function leftInCorefile(server: DnsServer): readonly Finding[] {
  const replaced = nodeCacheSwitches(server) === undefined ? [] : RUNTIME;
  return server.corefiles.flatMap((fact) => {
    if (fact.error !== undefined) {
      return [
        finding(server, {
          object: fact.object,
          evidence: [`${fact.object}, key ${fact.key}: ${fact.error}`],
          cause:
            'the server does not start with a Corefile that it cannot parse, or goes on with the one before',
          fix: { kind: 'text', text: 'Correct the Corefile at the line named' },
        }),
      ];
    }
    const lines = fact.text.split('\n').flatMap((line, index) => {
      const words = placeholders(line.replace(/#.*$/, '')).filter((word) => !replaced.includes(word));
      return words.map((word) => `${placeOf(fact, index + 1)}: ${word}`);
    });
    if (lines.length === 0) return [];
    const cause = `nobody replaces these words in a Corefile of ${server.name}, and they are no addresses or zones`;
    return [finding(server, { object: fact.object, evidence: lines, cause, fix: FILL_IN })];
  });
}

function leftInArguments(server: DnsServer): readonly Finding[] {
  const words = server.container.args.flatMap(placeholders);
  if (words.length === 0) return [];
  const evidence = [`arguments of ${server.name}: ${server.container.args.join(' ')}`];
  const cause = `${[...new Set(words)].join(', ')} stands in the arguments, where nothing is replaced: "invalid localip specified"`;
  return [finding(server, { evidence, cause, fix: FILL_IN })];
}

function badLocalIps(server: DnsServer): readonly Finding[] {
  const switches = nodeCacheSwitches(server);
  if (switches === undefined) return [];
  const bad = switches.localIps.filter(
    (text) => parseIp(text) === undefined && placeholders(text).length === 0 && !isVariable(text),
  );
  if (bad.length === 0) return [];
  const evidence = [`-localip of ${server.name} is ${JSON.stringify(switches.localIps.join(','))}`];
  const what = bad.every((text) => text === '') ? 'an empty entry' : bad.join(', ');
  const cause = `${what} is no address, and node-cache ends with "invalid localip specified"`;
  const text =
    'Name the addresses in -localip, with commas between them and none at the end: -localip 169.254.20.10,10.96.0.10';
  return [finding(server, { evidence, cause, fix: { kind: 'text', text } })];
}

function withoutServers(server: DnsServer): readonly Finding[] {
  return directivesOf(server.corefiles, 'forward')
    .filter(({ directive }) => directive.args.length < 2)
    .map((forward) =>
      finding(server, {
        evidence: [`${forward.place}: ${directiveText(forward)}`],
        cause: 'forward names no server: what stood for it was replaced by nothing',
        fix: { kind: 'text', text: 'Name the servers, or /etc/resolv.conf for those of the node' },
      }),
    );
}

/** node-cache takes the address from its environment, once: kubelet writes there the services that exist by then. */
function upstreamService(site: Site, server: DnsServer): readonly Finding[] {
  const switches = nodeCacheSwitches(server);
  const uses = server.corefiles.some(({ text }) => text.includes('__PILLAR__CLUSTER__DNS__'));
  if (switches === undefined || !uses) return [];
  const services = knownOr(site.cluster.services, []);
  const key = `${server.namespace}/${switches.upstreamService}`;
  const service = services.find((row) => objectKey(row) === key);
  const trouble = (evidence: string, text: string): readonly Finding[] => [
    finding(server, {
      evidence: [`${server.name} has -upstreamsvc ${switches.upstreamService}`, evidence],
      cause:
        'node-cache reads the address of that service from its environment when it starts; without one it writes <nil> into its Corefile',
      fix: { kind: 'text', text },
    }),
  ];
  if (!server.spec.serviceLinks) {
    return trouble(
      'its pods have enableServiceLinks: false',
      'Leave enableServiceLinks out of the pod, or name the address in the Corefile',
    );
  }
  if (service === undefined) {
    // Of a few files nobody can say that the service is not somewhere else.
    if (site.origin === 'manifests' && !services.some((row) => row.namespace === server.namespace)) return [];
    return trouble(
      `service ${key} does not exist`,
      `Make the service ${key} first, then restart ${server.name}`,
    );
  }
  const early = server.pods.filter(({ createdAtMs }) => createdAtMs > 0 && createdAtMs < service.createdAtMs);
  if (early.length === 0) return [];
  const names = early.slice(0, 3).map(objectKey).join(', ');
  return trouble(
    `service ${key} is younger than ${early.length} of its pods (${names})`,
    `kubectl rollout restart -n ${shellWord(server.namespace)} ${shellWord(server.name.replace(/ .*\//, '/').toLowerCase())}`,
  );
}

/** Kubernetes puts in what stands in the container's environment (`$(KUBE_DNS_SERVICE_HOST)`), before the program starts. */
function isVariable(text: string): boolean {
  return /^\$\([A-Za-z_][A-Za-z0-9_]*\)$/.test(text);
}

function placeholders(text: string): readonly string[] {
  return text.match(/__PILLAR__[A-Z_]+__/g) ?? [];
}

interface Words {
  readonly object?: string;
  readonly evidence: readonly string[];
  readonly cause: string;
  readonly fix: Fix;
}

function finding(server: DnsServer, { object, evidence, cause, fix }: Words): Finding {
  return {
    id: 'D10',
    severity: 'broken',
    title: d10.title,
    object: object ?? server.name,
    evidence,
    cause,
    fix,
  };
}
