/**
 * The TO arguments of `forward`: addresses, names of hosts, or files in the style of resolv.conf, read once at set-up.
 * Order is kept and duplicates are dropped. Names are only recognised here: `host-names.ts` resolves them at the start.
 */
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { Token } from '../../corefile/ast.ts';
import { errorCode } from '../../fault/app-error.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { formatAddressPort, type Port, parsePort, toPort } from '../../net/port.ts';
import { quote, wrongDirective } from '../directive.ts';

export interface UpstreamAddress {
  readonly address: Ip;
  readonly port: Port;
  /** `10.0.0.1:53`: the `to` label of the metrics. */
  readonly text: string;
  /** Asked by DNS over TLS (RFC 7858), and by nothing else. */
  readonly tls: boolean;
  /** What its certificate must be for; without it, `tls_servername` or the address. */
  readonly serverName?: string;
}

/** A TO whose addresses are found out at the start. */
export interface UpstreamHost {
  readonly host: string;
  readonly port: Port;
  readonly tls: boolean;
  readonly serverName?: string;
  readonly token: Token;
}

export type Target = UpstreamAddress | UpstreamHost;

/** CoreDNS's own bound (dns-server 3.6). */
export const MAX_UPSTREAMS = 15;
const DNS_PORT = 53;
const TLS_PORT = 853;
const SCHEME = /^([a-z0-9+]+):\/\//;
/** `IP`, `[IP]`, `IP:PORT`, each with `%servername` behind the address if the scheme is `tls`. */
const WITH_BRACKETS = /^\[([^\]%]+)(?:%([^\]:]+))?\](?:%([^:]+))?(?::(\d+))?$/;
const WITHOUT_BRACKETS = /^([^:%]+)(?:%([^:]+))?(?::(\d+))?$/;
/** RFC 1123 section 2.1; a last label of digits would be a mistyped address. */
const HOST =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*(?!\d+\.?(?::|$))[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.?(?::(\d+))?$/i;

/** Throws an `AppError` at the first TO that is none of those, or when there are too many. */
export function readTargets(tokens: readonly Token[], directory: string): readonly Target[] {
  const found = new Map<string, Target>();
  for (const token of tokens) {
    for (const target of readTarget(token, directory)) {
      const key = keyOf(target);
      if (!found.has(key)) found.set(key, target);
    }
  }
  const [first] = tokens;
  if (first !== undefined) refuseTooMany(found.size, first);
  return [...found.values()];
}

/** The same upstream written twice has the same key. */
export function keyOf(target: Target): string {
  const place = 'host' in target ? `${target.host.toLowerCase()}:${target.port}` : target.text;
  return `${target.tls ? 'tls' : 'dns'}://${place}%${target.serverName ?? ''}`;
}

export function refuseTooMany(count: number, at: Token): void {
  if (count <= MAX_UPSTREAMS) return;
  throw wrongDirective('forward', at, `more than ${MAX_UPSTREAMS} TOs configured: ${count}`);
}

function readTarget(token: Token, directory: string): readonly Target[] {
  const scheme = SCHEME.exec(token.text)?.[1] ?? 'dns';
  if (scheme !== 'dns' && scheme !== 'tls') {
    throw wrongDirective('forward', token, `scheme '${scheme}://' is not supported by this server`, {
      code: 'PLUGIN_UNSUPPORTED_OPTION',
      hint: 'Upstreams are asked by plain UDP and TCP, or by TLS with tls://',
    });
  }
  const text = token.text.replace(SCHEME, '');
  const upstream = scheme === 'tls' ? parseTlsUpstream(text) : parseUpstream(text);
  if (upstream !== undefined) return [upstream];
  const path = isAbsolute(text) ? text : join(directory, text);
  const file = readIfFile(path);
  if (typeof file === 'string') return nameserversOf(token, file, scheme);
  const host = parseHost(token, text, scheme);
  if (host !== undefined) return [host];
  const reason = `not an IP address or file: ${quote(token.text)}`;
  throw wrongDirective('forward', token, reason, { hint: `${path} cannot be read: ${file.code}` });
}

/** `10.0.0.1`, `10.0.0.1:5353`, `fd00::1`, `[fd00::1]`, `[fd00::1]:5353`. */
export function parseUpstream(text: string): UpstreamAddress | undefined {
  const found = parsePlace(text, DNS_PORT);
  return found === undefined || found.serverName !== undefined ? undefined : { ...found, tls: false };
}

/** The same with port 853, and `%servername` behind the address. */
export function parseTlsUpstream(text: string): UpstreamAddress | undefined {
  const found = parsePlace(text, TLS_PORT);
  return found && { ...found, tls: true };
}

function parsePlace(text: string, defaultPort: number): Omit<UpstreamAddress, 'tls'> | undefined {
  const plain = parseIp(text);
  const [, host = '', inside, outside, digits] = plain
    ? ['', text]
    : (WITH_BRACKETS.exec(text) ?? withoutBrackets(text) ?? []);
  const address = plain ?? parseIp(host);
  const port = digits === undefined ? toPort(defaultPort) : parsePort(digits);
  if (address === undefined || port === undefined) return undefined;
  const serverName = inside ?? outside;
  const place = { address, port, text: formatAddressPort(address, port) };
  return serverName === undefined ? place : { ...place, serverName };
}

/** As a match of `WITH_BRACKETS`; an address of version 6 and its server name have no port. */
function withoutBrackets(text: string): readonly (string | undefined)[] | undefined {
  const version6 = /^([0-9a-f:.]*:[0-9a-f:.]*)%([^:]+)$/i.exec(text);
  if (version6 !== null) return ['', version6[1], undefined, version6[2], undefined];
  const match = WITHOUT_BRACKETS.exec(text);
  return match === null ? undefined : ['', match[1], undefined, match[2], match[3]];
}

function parseHost(token: Token, text: string, scheme: 'dns' | 'tls'): UpstreamHost | undefined {
  const match = HOST.exec(text);
  const tls = scheme === 'tls';
  const port = match?.[1] === undefined ? toPort(tls ? TLS_PORT : DNS_PORT) : parsePort(match[1]);
  if (match === null || port === undefined) return undefined;
  const host = text.replace(/:\d+$/, '');
  return { host, port, tls, token, ...(tls && { serverName: host.replace(/\.$/, '') }) };
}

function nameserversOf(token: Token, text: string, scheme: 'dns' | 'tls'): readonly UpstreamAddress[] {
  const upstreams = nameservers(text, scheme);
  if (upstreams.length > 0) return upstreams;
  throw wrongDirective('forward', token, `no nameservers found in file: ${quote(token.text)}`);
}

/** The `nameserver` lines (resolv.conf(5)); zones of link-local addresses are cut off, other lines are not ours. */
export function nameservers(text: string, scheme: 'dns' | 'tls' = 'dns'): readonly UpstreamAddress[] {
  const parse = scheme === 'tls' ? parseTlsUpstream : parseUpstream;
  return text.split('\n').flatMap((line) => {
    const [word, address = ''] = line.trim().split(/\s+/);
    if (word !== 'nameserver') return [];
    const upstream = parse(address.replace(/%.*$/, ''));
    return upstream === undefined ? [] : [upstream];
  });
}

function readIfFile(path: string): string | { code: string } {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return { code: errorCode(error) ?? 'unknown' };
  }
}
