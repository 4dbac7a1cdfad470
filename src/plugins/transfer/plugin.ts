/**
 * Hands out whole zones of the block's other plugins (RFC 5936), to those who may have them. A request for the changes
 * since a serial gets the whole zone too, or its SOA alone when there are none (RFC 1995 sections 2 and 4). A zone's
 * messages are made one by one as the client takes them. Deliberately absent: TSIG, and differences between versions.
 */
import { RCODE, TYPE } from '../../dns/codes.ts';
import type { Message, ResourceRecord } from '../../dns/message.ts';
import { canonicalName, type Name } from '../../dns/name.ts';
import { readSoa } from '../../dns/rdata/soa.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Ip } from '../../net/ip.ts';
import { type Prefix, prefixContains } from '../../net/prefix.ts';
import type { Plugin, Query, Reply, SocketAddress } from '../../server/handler.ts';
import type { Log } from '../../telemetry/log.ts';
import type { ZoneTransfer } from '../contract.ts';
import { matchingZone } from '../zones.ts';

export type Target =
  | { readonly kind: 'all' }
  | { readonly kind: 'network'; readonly network: Prefix }
  | ({ readonly kind: 'host' } & SocketAddress);

export interface TransferRule {
  readonly zones: readonly Name[];
  readonly targets: readonly Target[];
  /** Who hears of changes. */
  readonly notify: readonly SocketAddress[];
}

export interface TransferOptions {
  readonly rules: readonly TransferRule[];
  readonly transfers: () => readonly ZoneTransfer[];
  readonly log: Log;
}

const REFUSED: Reply = { rcode: RCODE.REFUSED };

export function transferPlugin(options: TransferOptions): Plugin {
  return (next) => (query) => {
    const { type, name } = query.question;
    if (type !== TYPE.AXFR && type !== TYPE.IXFR) return next(query);
    // RFC 5936 section 4.2: there is no AXFR over UDP.
    if (query.transport === 'udp' && type === TYPE.AXFR) return REFUSED;
    const rule = ruleFor(options.rules, name);
    if (rule === undefined) return query.transport === 'udp' ? REFUSED : next(query);
    if (!isAllowed(rule, query.client.address)) return REFUSED;
    const since = type === TYPE.IXFR ? serialOf(query.message) : undefined;
    if (type === TYPE.IXFR && since === undefined) return { rcode: RCODE.FORMERR };
    const batches = firstTransfer(options.transfers(), name, since);
    return batches === undefined ? next(query) : transfer(query, batches, options.log);
  };
}

/** The rule with the longest zone that holds the name. */
export function ruleFor(rules: readonly TransferRule[], name: Name): TransferRule | undefined {
  const zone = matchingZone(
    rules.flatMap(({ zones }) => zones),
    name,
  );
  return rules.find(({ zones }) => zone !== undefined && zones.includes(zone));
}

function isAllowed({ targets }: TransferRule, client: Ip): boolean {
  return targets.some((target) => {
    if (target.kind === 'all') return true;
    return target.kind === 'host' ? target.address === client : prefixContains(target.network, client);
  });
}

/** What the client has: the SOA in the authority section (RFC 1995 section 3). */
function serialOf({ authorities: [soa] }: Message): number | undefined {
  return soa && readSoa(soa)?.serial;
}

function firstTransfer(
  transfers: readonly ZoneTransfer[],
  name: Name,
  since: number | undefined,
): Iterator<readonly ResourceRecord[]> | undefined {
  for (const offer of transfers) {
    const batches = offer(canonicalName(name), since);
    if (batches !== undefined) return batches[Symbol.iterator]();
  }
  return undefined;
}

function transfer(query: Query, batches: Iterator<readonly ResourceRecord[]>, log: Log): Reply {
  const first: readonly ResourceRecord[] = batches.next().value ?? [];
  const soa = first[0];
  const serial = soa && readSoa(soa)?.serial;
  if (soa === undefined || serial === undefined) return { rcode: RCODE.SERVFAIL };
  const who = `zone "${query.question.name}" to ${query.client.address} for ${serial} SOA serial`;
  const message = messageOf(query, first);
  if (first.length === 1 && query.question.type === TYPE.IXFR) {
    log.info(`Outgoing noop, incremental transfer for up to date ${who}`);
    return { rcode: RCODE.NOERROR, message };
  }
  // RFC 1995 section 2: what does not fit a datagram is asked for again over TCP.
  if (query.transport === 'udp') return { rcode: RCODE.NOERROR, message: messageOf(query, [soa]) };
  return { rcode: RCODE.NOERROR, message, more: furtherMessages() };

  function* furtherMessages(): Generator<Message> {
    let records = first.length;
    for (let next = batches.next(); next.done !== true; next = batches.next()) {
      records += next.value.length;
      yield messageOf(query, next.value);
    }
    log.info(`Outgoing transfer of ${records} records of ${who}`);
  }
}

function messageOf(query: Query, answers: readonly ResourceRecord[]): Message {
  return replyTo(query.message, { authoritative: true, answers });
}
