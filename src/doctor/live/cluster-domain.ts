/** What the cluster calls itself: the first zone that plugin kubernetes of its DNS answers for. */
import { parseName } from '../../dns/name.ts';
import { directivesOf } from '../picture/corefiles.ts';
import { dnsPicture } from '../picture/dns-picture.ts';
import type { Site } from '../site/site.ts';

const USUAL = 'cluster.local';

export function clusterDomain(site: Site): string {
  const corefiles = dnsPicture(site).servers.flatMap((server) =>
    server.role === 'cluster' ? server.corefiles : [],
  );
  const zones = directivesOf(corefiles, 'kubernetes').flatMap(({ directive }) =>
    directive.args.map(({ text }) => text),
  );
  const isDomain = (zone: string) =>
    !zone.endsWith('.arpa') && !zone.includes('/') && parseName(rooted(zone)) !== undefined;
  return zones.find(isDomain) ?? USUAL;
}

function rooted(name: string): string {
  return name.endsWith('.') ? name : `${name}.`;
}
