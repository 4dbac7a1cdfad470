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

/** `files` is name to content. Throws NODECACHE_CONFIG. */
export function parseKubeDnsConfig(files: ReadonlyMap<string, string>): KubeDnsConfig {
  const upstreamServers = stringList('upstreamNameservers', parseJson(files, 'upstreamNameservers') ?? []);
  if (upstreamServers.length > MOST_UPSTREAMS) {
    throw configFault(`upstreamNameserver cannot have more than ${MOST_UPSTREAMS} entries`, upstreamServers);
  }
  for (const server of upstreamServers) checkServer(server, 'the upstream nameservers');
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
      for (const server of list) checkServer(server, `the stub domain ${domain}`);
      return [domain, list];
    }),
  );
  return { stubDomains, upstreamServers };
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
function checkServer(server: string, of: string): void {
  if (parseIp(server) !== undefined || parseAddressPort(server) !== undefined) return;
  throw configFault(
    `invalid nameservers [${server}] for ${of}: not an IP address or file: ${JSON.stringify(server)}`,
    server,
  );
}

function configFault(reason: string, received: unknown): AppError {
  return new AppError(
    'NODECACHE_CONFIG',
    `Cannot use the kube-dns configuration: ${reason}: received ${JSON.stringify(received)}`,
  );
}
