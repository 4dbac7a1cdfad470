/**
 * The kube-dns ConfigMap as a mounted directory (dns-server 4.5): stub domains and upstream servers. Whoever may edit
 * the ConfigMap writes these texts into a Corefile, so anything but an address or a name is refused. Pure.
 */
import { AppError, errorText } from '../fault/app-error.ts';
import { parseIp } from '../net/ip.ts';
import { parseAddressPort } from '../net/port.ts';

export interface KubeDnsConfig {
  readonly stubDomains: ReadonlyMap<string, readonly string[]>;
  readonly upstreamServers: readonly string[];
}

export const EMPTY_CONFIG: KubeDnsConfig = { stubDomains: new Map(), upstreamServers: [] };

const MOST_UPSTREAMS = 3;
const DNS_1123_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** `files` is name to content. Throws NODECACHE_CONFIG, and NODECACHE_NAMESERVERS in the original's words. */
export function parseKubeDnsConfig(files: ReadonlyMap<string, string>): KubeDnsConfig {
  const upstreamServers = stringList('upstreamNameservers', parseJson(files, 'upstreamNameservers') ?? []);
  if (upstreamServers.length > MOST_UPSTREAMS) {
    throw configFault(`upstreamNameserver cannot have more than ${MOST_UPSTREAMS} entries`, upstreamServers);
  }
  checkServers(upstreamServers, 'the upstream nameservers');
  const domains = parseJson(files, 'stubDomains') ?? {};
  if (typeof domains !== 'object' || domains === null || Array.isArray(domains)) {
    throw configFault('stubDomains is not an object', domains);
  }
  const stubDomains = new Map(
    Object.entries(domains).map(([domain, servers]): [string, readonly string[]] => {
      if (domain.length > 253 || !DNS_1123_SUBDOMAIN.test(domain)) {
        throw configFault('a stub domain is not a DNS-1123 subdomain', domain);
      }
      const list = stringList(`the servers of ${domain}`, servers);
      checkServers(list, `the stub domain ${domain}`);
      return [domain, list];
    }),
  );
  checkFederations(files.get('federations') ?? '');
  return { stubDomains, upstreamServers };
}

/** `name=domain,name=domain`: of no use to us, but a mistake there makes the original ignore the whole update. */
function checkFederations(text: string): void {
  for (const entry of text.split(',').filter((part) => part.trim() !== '')) {
    const [name = '', domain = '', ...rest] = entry.trim().split('=');
    const isName = DNS_1123_SUBDOMAIN.test(name) && !name.includes('.') && name.length <= 63;
    if (isName && rest.length === 0 && DNS_1123_SUBDOMAIN.test(domain)) continue;
    throw configFault('federations is not a list of name=domain', entry);
  }
}

function parseJson(files: ReadonlyMap<string, string>, key: string): unknown {
  const text = files.get(key);
  if (text === undefined || text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw configFault(`${key} is not JSON (${errorText(error)})`, text.slice(0, 80));
  }
}

function stringList(what: string, value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw configFault(`${what} is not a list of strings`, value);
}

/** An address with or without port; CoreDNS before 1.14.4 takes no names here, and neither do we. */
function checkServers(servers: readonly string[], of: string): void {
  const wrong = servers.find(
    (server) => parseIp(server) === undefined && parseAddressPort(server) === undefined,
  );
  if (wrong === undefined) return;
  throw new AppError(
    'NODECACHE_NAMESERVERS',
    `invalid nameservers [${servers.join(' ')}] for ${of}: not an IP address or file: ${JSON.stringify(wrong)}`,
  );
}

function configFault(reason: string, received: unknown): AppError {
  return new AppError(
    'NODECACHE_CONFIG',
    `Cannot use the kube-dns configuration: ${reason}: received ${JSON.stringify(received)}`,
  );
}
