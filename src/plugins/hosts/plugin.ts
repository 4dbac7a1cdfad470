/**
 * Answers A, AAAA and PTR queries from a hosts(5) file and from lines in the Corefile (dns-server 3.14). There is no SOA
 * to prove with that a name does not exist: an unknown name goes on to the next plugin or fails with SERVFAIL.
 */
import { CLASS, RCODE, TYPE } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { canonicalName, type Name } from '../../dns/name.ts';
import { addressRecord } from '../../dns/rdata/address.ts';
import { ptrRecord } from '../../dns/rdata/target.ts';
import { replyTo } from '../../dns/reply.ts';
import { type Ip, ipFamily } from '../../net/ip.ts';
import type { Handler, Plugin, Query, Reply } from '../../server/handler.ts';
import { matchingZone } from '../zones.ts';
import type { HostTable } from './host-table.ts';
import { reverseAddress } from './reverse-name.ts';

export interface HostsOptions {
  readonly zones: readonly Name[];
  readonly ttlSeconds: number;
  /** Unknown names below these go on to the next plugin. */
  readonly fallthrough: readonly Name[];
  /** So do queries for other types of known names. */
  readonly fallthroughUnsupported: boolean;
  readonly inline: HostTable;
  /** The file's newest table. */
  readonly file: () => HostTable;
}

export function hostsPlugin(options: HostsOptions): Plugin {
  return (next) => (query) => {
    const { question } = query;
    if (question.class !== CLASS.IN && question.class !== CLASS.ANY) return next(query);
    const name = canonicalName(question.name);
    if (question.type === TYPE.PTR) return answerReverse(query, name, { next, options });
    if (matchingZone(options.zones, name) === undefined) return next(query);
    return answerForward(query, name, { next, options });
  };
}

/** Whether such a question of class IN is looked up; pointers are by their address, whatever the zones. */
export function looksUp(name: Name, type: number, { zones }: Pick<HostsOptions, 'zones'>): boolean {
  if (type === TYPE.PTR) return reverseAddress(canonicalName(name)) !== undefined;
  return matchingZone(zones, name) !== undefined;
}

interface Surroundings {
  readonly next: Handler;
  readonly options: HostsOptions;
}

function answerReverse(query: Query, name: Name, { next, options }: Surroundings): Reply | Promise<Reply> {
  const { file, inline, ttlSeconds } = options;
  const ip = reverseAddress(name);
  const names = ip === undefined ? [] : joined(file().names(ip), inline.names(ip));
  if (names.length === 0) return next(query);
  return answer(
    query,
    names.map((target) => ptrRecord(name, ttlSeconds, target)),
  );
}

function answerForward(query: Query, name: Name, { next, options }: Surroundings): Reply | Promise<Reply> {
  const { ttlSeconds, fallthrough, fallthroughUnsupported } = options;
  const { type } = query.question;
  const known = knownAddresses(name, options);
  const goesOn = matchingZone(fallthrough, name) !== undefined;
  if (known === undefined) return goesOn ? next(query) : { rcode: RCODE.SERVFAIL };
  const family = type === TYPE.A ? 4 : type === TYPE.AAAA ? 6 : undefined;
  if (family === undefined) return goesOn && fallthroughUnsupported ? next(query) : answer(query, []);
  const addresses = known.filter((ip) => ipFamily(ip) === family);
  return answer(
    query,
    addresses.map((ip) => addressRecord(name, ttlSeconds, ip)),
  );
}

/** The file's and then the Corefile's; a wildcard's only where neither knows the name itself. */
function knownAddresses(name: Name, { file, inline }: HostsOptions): readonly Ip[] | undefined {
  const table = file();
  const own = joined(table.addresses(name) ?? [], inline.addresses(name) ?? []);
  if (own.length > 0) return own;
  const wild = joined(table.wildcardAddresses(name) ?? [], inline.wildcardAddresses(name) ?? []);
  return wild.length > 0 ? wild : undefined;
}

function answer(query: Query, answers: readonly ResourceRecord[]): Reply {
  const message = replyTo(query.message, { authoritative: true, answers });
  return { rcode: message.rcode, message };
}

function joined<T>(first: readonly T[], second: readonly T[]): readonly T[] {
  if (second.length === 0) return first;
  return first.length === 0 ? second : [...new Set([...first, ...second])];
}
