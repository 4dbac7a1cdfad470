/**
 * The TO arguments of `forward`: addresses, or files in the style of resolv.conf, read once at set-up. Order is kept
 * and duplicates are dropped. Host names are refused: resolving them would need a resolver before there is one.
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
}

/** CoreDNS's own bound (dns-server 3.6). */
export const MAX_UPSTREAMS = 15;
const DNS_PORT = 53;
const SCHEME = /^([a-z0-9+]+):\/\//;

/** Throws an `AppError` at the first TO that is neither an address nor a file of addresses, or when there are too many. */
export function readUpstreams(tokens: readonly Token[], directory: string): readonly UpstreamAddress[] {
  const found = new Map<string, UpstreamAddress>();
  for (const token of tokens) {
    for (const upstream of readUpstream(token, directory)) found.set(upstream.text, upstream);
  }
  const [first] = tokens;
  if (found.size > MAX_UPSTREAMS && first !== undefined) {
    throw wrongDirective('forward', first, `more than ${MAX_UPSTREAMS} TOs configured: ${found.size}`);
  }
  return [...found.values()];
}

function readUpstream(token: Token, directory: string): readonly UpstreamAddress[] {
  const scheme = SCHEME.exec(token.text)?.[1] ?? 'dns';
  if (scheme !== 'dns') {
    throw wrongDirective('forward', token, `scheme '${scheme}://' is not supported by this server`, {
      code: 'PLUGIN_UNSUPPORTED_OPTION',
      hint: 'Upstreams are asked by plain UDP and TCP: write the address without a scheme',
    });
  }
  const text = token.text.replace(SCHEME, '');
  const upstream = parseUpstream(text);
  return upstream === undefined ? readResolvConf(token, absolutePath(directory, text)) : [upstream];
}

/** `10.0.0.1`, `10.0.0.1:5353`, `fd00::1`, `[fd00::1]`, `[fd00::1]:5353`. */
export function parseUpstream(text: string): UpstreamAddress | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text);
  const address = parseIp(text) ?? parseIp(match?.[1] ?? match?.[2] ?? '');
  const port = match?.[3] === undefined ? toPort(DNS_PORT) : parsePort(match[3]);
  if (address === undefined || port === undefined) return undefined;
  return { address, port, text: formatAddressPort(address, port) };
}

function readResolvConf(token: Token, path: string): readonly UpstreamAddress[] {
  const upstreams = nameservers(readOrRefuse(token, path));
  if (upstreams.length > 0) return upstreams;
  throw wrongDirective('forward', token, `no nameservers found in file: ${quote(token.text)}`);
}

/** The `nameserver` lines (resolv.conf(5)); zones of link-local addresses are cut off, other lines are not ours. */
export function nameservers(text: string): readonly UpstreamAddress[] {
  return text.split('\n').flatMap((line) => {
    const [word, address = ''] = line.trim().split(/\s+/);
    if (word !== 'nameserver') return [];
    const upstream = parseUpstream(address.replace(/%.*$/, ''));
    return upstream === undefined ? [] : [upstream];
  });
}

function readOrRefuse(token: Token, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = `not an IP address or file: ${quote(token.text)}`;
    throw wrongDirective('forward', token, reason, { hint: `${path} cannot be read: ${errorCode(error)}` });
  }
}

function absolutePath(directory: string, path: string): string {
  return isAbsolute(path) ? path : join(directory, path);
}
