/**
 * Upstreams that the Corefile names instead of giving their address. They are looked up once, before the server opens
 * its sockets: a server that asked itself would wait for ever. A name without an address ends the start with its line.
 */
import { ADDRCONFIG } from 'node:dns';
import { lookup, Resolver } from 'node:dns/promises';
import { errorCode } from '../../fault/app-error.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { formatAddressPort } from '../../net/port.ts';
import { quote, wrongDirective } from '../directive.ts';
import {
  keyOf,
  refuseTooMany,
  type Target,
  type UpstreamAddress,
  type UpstreamHost,
} from './upstream-address.ts';

const QUERY_TIMEOUT_MS = 2000;
const QUERY_TRIES = 2;

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such host',
  ENODATA: 'no such host',
  EAI_AGAIN: 'server misbehaving',
  ESERVFAIL: 'server misbehaving',
  EREFUSED: 'server misbehaving',
  ETIMEOUT: 'i/o timeout',
  ECONNREFUSED: 'connection refused',
};

/** Every address of every name in the place of the name, duplicates dropped. Rejects with an `AppError`. */
export async function resolveTargets(
  targets: readonly Target[],
  resolvers: readonly string[],
): Promise<readonly UpstreamAddress[]> {
  const found = new Map<string, UpstreamAddress>();
  for (const target of targets) {
    const upstreams = 'host' in target ? await resolveTarget(target, resolvers) : [target];
    for (const upstream of upstreams) {
      const key = keyOf(upstream);
      if (!found.has(key)) found.set(key, upstream);
    }
    if ('host' in target) refuseTooMany(found.size, target.token);
  }
  return [...found.values()];
}

async function resolveTarget(
  { host, port, serverName, tls, token }: UpstreamHost,
  resolvers: readonly string[],
): Promise<readonly UpstreamAddress[]> {
  try {
    const addresses = resolvers.length > 0 ? await askResolvers(host, resolvers) : await askSystem(host);
    return addresses.map((address) => ({
      address,
      port,
      text: formatAddressPort(address, port),
      tls,
      ...(serverName !== undefined && { serverName }),
    }));
  } catch (cause) {
    const code = errorCode(cause) ?? '';
    const reason = `unable to resolve ${quote(host)}: lookup ${host}: ${REASONS[code] ?? code}`;
    throw wrongDirective('forward', token, reason, {
      hint: 'It is neither an IP address nor a readable file, so it was looked up as the name of a host',
    });
  }
}

async function askSystem(host: string): Promise<readonly Ip[]> {
  const found = await lookup(host, { all: true, hints: ADDRCONFIG });
  return parsed(found.map(({ address }) => address));
}

/** Both families; that a name has only one of them is no failure. */
async function askResolvers(host: string, resolvers: readonly string[]): Promise<readonly Ip[]> {
  const resolver = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES });
  resolver.setServers(resolvers);
  const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  const [failure] = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
  if (addresses.length === 0) throw failure;
  return parsed(addresses);
}

function parsed(addresses: readonly string[]): readonly Ip[] {
  return addresses.flatMap((address) => parseIp(address) ?? []);
}
