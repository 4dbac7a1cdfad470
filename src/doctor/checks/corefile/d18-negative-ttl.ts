/**
 * A name that was asked for before its service existed stays denied for as long as the cache keeps denials. Operators and
 * StatefulSets that look for each other while they start meet it first.
 */
import { objectKey } from '../../../cluster/rows.ts';
import type { Directive } from '../../../corefile/ast.ts';
import type { Check, Finding } from '../../check.ts';
import { blockName, directivesOf, type PlacedDirective } from '../../picture/corefiles.ts';
import { type DnsServer, dnsPicture } from '../../picture/dns-picture.ts';
import { knownOr } from '../../site/known.ts';
import type { Site } from '../../site/site.ts';

export const d18: Check = {
  id: 'D18',
  title: 'Denied names are kept longer than a new service takes to be asked for',
  pains: ['P17'],
  needs: { cluster: ['services', 'workloads', 'pods', 'configMaps'] },
  run(site) {
    return dnsPicture(site).servers.flatMap((server) =>
      directivesOf(server.corefiles, 'cache').flatMap((cache) => judge(site, server, cache)),
    );
  },
};

/** What CoreDNS's own configuration comes to at most (`ttl 30` of plugin kubernetes); upstream's node cache has 5. */
const LONG_SECONDS = 30;
/** CoreDNS's limits where nothing is written: half an hour for denials. */
const DEFAULT_SECONDS = 1800;

function judge(site: Site, server: DnsServer, cache: PlacedDirective): readonly Finding[] {
  const zones = clusterZones(cache);
  if (zones.length === 0) return [];
  const seconds = deniedFor(cache, zones);
  const young = site.origin === 'live' && seconds > 5 ? youngServices(site, seconds) : [];
  if (seconds <= LONG_SECONDS && young.length === 0) return [];
  return [
    {
      id: 'D18',
      severity: seconds > LONG_SECONDS ? 'warning' : 'info',
      title: d18.title,
      object: server.name,
      evidence: [
        `${cache.place}, block ${blockName(cache)}: denials are kept for up to ${seconds} s`,
        ...young.slice(0, 5),
      ],
      cause:
        'who asks for a service before it is there makes the cache deny it to everybody on the node until that time is over',
      fix: {
        kind: 'text',
        text: `In block ${blockName(cache)}:\ncache {\n    success 9984 30\n    denial 9984 5\n}`,
      },
    },
  ];
}

/** Zones of the block that services live in; the root counts where no other block of the server takes them out. */
function clusterZones({ block }: PlacedDirective): readonly string[] {
  const kubernetes = block.directives.find(({ name }) => name.text === 'kubernetes');
  const keys = block.keys.map(({ text }) => zoneOf(text));
  if (kubernetes !== undefined) {
    const named = kubernetes.args.map(({ text }) => zoneOf(text)).filter((zone) => !zone.endsWith('arpa'));
    return named.length > 0 ? named : keys;
  }
  return keys.filter((zone) => /^cluster\.|\.local$|(^|\.)svc(\.|$)/.test(zone));
}

function zoneOf(key: string): string {
  return key
    .replace(/^[a-z]+:\/\//, '')
    .replace(/:\d+$/, '')
    .replace(/\.$/, '')
    .toLowerCase();
}

/**
 * What the cache allows, and never more than the server gives: plugin kubernetes sends its own `ttl` (5 s unless told) with
 * a denial.
 */
function deniedFor({ directive, block }: PlacedDirective, zones: readonly string[]): number {
  if (denialsDisabled(directive, zones)) return 0;
  const denial = directive.body?.find(({ name }) => name.text === 'denial');
  const own = seconds(denial?.args[1]?.text) ?? seconds(directive.args[0]?.text) ?? DEFAULT_SECONDS;
  const kubernetes = block.directives.find(({ name }) => name.text === 'kubernetes');
  if (kubernetes === undefined) return own;
  const ttl = seconds(kubernetes.body?.find(({ name }) => name.text === 'ttl')?.args[0]?.text) ?? 5;
  return Math.min(own, ttl);
}

function denialsDisabled({ body = [] }: Directive, zones: readonly string[]): boolean {
  return body.some(({ name, args }) => {
    if (name.text !== 'disable' || args[0]?.text !== 'denial') return false;
    const listed = args.slice(1).map(({ text }) => zoneOf(text));
    return listed.length === 0 || zones.every((zone) => listed.includes(zone));
  });
}

function seconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function youngServices(site: Site, within: number): readonly string[] {
  return knownOr(site.cluster.services, []).flatMap((service) => {
    const age = Math.floor((site.takenAtMs - service.createdAtMs) / 1000);
    if (service.createdAtMs === 0 || age < 0 || age >= within) return [];
    return [
      `service ${objectKey(service)} is ${age} s old: who asked before may be denied for ${within - age} s more`,
    ];
  });
}
