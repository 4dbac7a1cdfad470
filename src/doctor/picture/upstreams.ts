/** Where a `forward` sends what it cannot answer, with the words that node-cache puts in on its own. */
import type { Directive } from '../../corefile/ast.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { parseAddressPort } from '../../net/port.ts';
import { type DnsServer, nodeCacheSwitches } from './dns-picture.ts';

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
