/**
 * From the observer's flags to a GetFlowsRequest (spec hubble 2.3). Like the stock CLI, directional flags name a side and
 * symmetric ones mean either; unlike it, two symmetric flags are combined in all four ways: `--pod X --port 53` is the
 * conversation of X on port 53, whichever side has the port, where the stock CLI silently shows nothing for a client.
 */
import { fail, ok, type Result } from '../fault/result.ts';
import type { EventTypeFilter, FlowFilter, GetFlowsRequest } from './api.ts';
import { EVENT_TYPES, TRACE_POINTS } from './api.ts';
import { formatTime, parseTime } from './time.ts';

/** Names are the flags' own; several values of one flag mean any of them. */
export interface ObserveFlags {
  readonly follow?: boolean;
  readonly last?: number;
  readonly first?: number;
  readonly all?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly protocol?: readonly string[];
  readonly port?: readonly string[];
  readonly fromPort?: readonly string[];
  readonly toPort?: readonly string[];
  readonly pod?: readonly string[];
  readonly fromPod?: readonly string[];
  readonly toPod?: readonly string[];
  readonly namespace?: readonly string[];
  readonly ip?: readonly string[];
  readonly verdict?: readonly string[];
  readonly type?: readonly string[];
  readonly dnsQuery?: readonly string[];
  readonly traceId?: readonly string[];
}

export const DEFAULT_LAST = 20;

export function flowsRequest(flags: ObserveFlags, nowNs: bigint): Result<GetFlowsRequest> {
  const conflict = conflictOf(flags);
  if (conflict !== undefined) return fail('FLOW_REQUEST_INVALID', undefined, conflict);
  const since = flags.since === undefined ? undefined : pointInTime(flags.since, nowNs);
  const until = flags.until === undefined ? undefined : pointInTime(flags.until, nowNs);
  if (flags.since !== undefined && since === undefined) return badTime('since', flags.since);
  if (flags.until !== undefined && until === undefined) return badTime('until', flags.until);
  const types = eventTypes(flags.type ?? []);
  if (!types.ok) return types;
  const whitelist = filtersOf(flags, types.value);
  return ok({
    ...countOf(flags),
    ...(flags.follow === true ? { follow: true } : {}),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(whitelist.length === 0 ? {} : { whitelist }),
  });
}

function countOf(flags: ObserveFlags): Pick<GetFlowsRequest, 'number' | 'first'> {
  if (flags.first !== undefined) return { number: flags.first, first: true };
  if (flags.last !== undefined) return { number: flags.last };
  const open =
    flags.all === true || flags.follow === true || flags.since !== undefined || flags.until !== undefined;
  return open ? {} : { number: DEFAULT_LAST };
}

function conflictOf(flags: ObserveFlags): string | undefined {
  const together = (a: keyof ObserveFlags, ...others: readonly (keyof ObserveFlags)[]) =>
    flags[a] !== undefined && others.some((other) => flags[other] !== undefined);
  if (together('first', 'last', 'all')) return '--first cannot be combined with --last or --all';
  if (flags.first !== undefined && flags.follow === true) return '--first cannot be combined with --follow';
  if (together('pod', 'fromPod', 'toPod'))
    return '--pod means either side: leave out --from-pod and --to-pod';
  if (together('port', 'fromPort', 'toPort'))
    return '--port means either side: leave out --from-port and --to-port';
  if (together('ip', 'pod', 'fromPod', 'toPod')) return '--ip cannot be combined with a pod';
  return undefined;
}

/** One filter for every way the symmetric flags can lie; none at all when nothing is asked for. */
function filtersOf(flags: ObserveFlags, types: readonly EventTypeFilter[]): readonly FlowFilter[] {
  const base: FlowFilter = {
    ...field('protocol', flags.protocol),
    ...field('source_port', flags.fromPort),
    ...field('destination_port', flags.toPort),
    ...field('source_pod', flags.fromPod),
    ...field('destination_pod', flags.toPod),
    ...field('verdict', flags.verdict),
    ...field('dns_query', flags.dnsQuery),
    ...field('trace_id', flags.traceId),
    ...(types.length === 0 ? {} : { event_type: types }),
  };
  const pods = podPatterns(flags);
  const choices: readonly (readonly FlowFilter[])[] = [
    eitherSide('source_pod', 'destination_pod', pods),
    eitherSide('source_port', 'destination_port', flags.port),
    eitherSide('source_ip', 'destination_ip', flags.ip),
  ].filter((sides) => sides.length > 0);
  const filters = choices.reduce<readonly FlowFilter[]>(
    (found, sides) => found.flatMap((filter) => sides.map((side) => ({ ...filter, ...side }))),
    [base],
  );
  return filters.filter((filter) => Object.keys(filter).length > 0);
}

/** A namespace qualifies the bare pod names beside it; alone it means all its pods. */
function podPatterns({ pod, namespace }: ObserveFlags): readonly string[] | undefined {
  if (namespace === undefined) return pod;
  if (pod === undefined) return namespace.map((name) => `${name}/`);
  return pod.flatMap((name) => (name.includes('/') ? [name] : namespace.map((space) => `${space}/${name}`)));
}

function field<K extends keyof FlowFilter>(name: K, values: readonly string[] | undefined): FlowFilter {
  return values === undefined || values.length === 0 ? {} : { [name]: values };
}

function eitherSide(
  source: keyof FlowFilter,
  destination: keyof FlowFilter,
  values: readonly string[] | undefined,
): readonly FlowFilter[] {
  if (values === undefined || values.length === 0) return [];
  return [field(source, values), field(destination, values)];
}

const TYPE_NUMBERS: Readonly<Record<string, number>> = {
  drop: EVENT_TYPES.drop,
  capture: EVENT_TYPES.capture,
  trace: EVENT_TYPES.trace,
  'policy-verdict': EVENT_TYPES.policyVerdict,
  'trace-sock': EVENT_TYPES.sock,
  l7: EVENT_TYPES.l7,
};

/** `l7`, `trace:to-endpoint`, `4:5`. */
function eventTypes(texts: readonly string[]): Result<readonly EventTypeFilter[]> {
  const filters: EventTypeFilter[] = [];
  for (const text of texts) {
    const [word = '', sub] = text.split(':');
    const type = /^\d{1,3}$/.test(word)
      ? Number(word)
      : Object.hasOwn(TYPE_NUMBERS, word)
        ? TYPE_NUMBERS[word]
        : undefined;
    const subType = sub === undefined ? undefined : subTypeOf(sub);
    if (type === undefined || (sub !== undefined && subType === undefined)) {
      const known = Object.keys(TYPE_NUMBERS).join(', ');
      return fail(
        'FLOW_REQUEST_INVALID',
        undefined,
        `--type is one of ${known}: received ${JSON.stringify(text)}`,
      );
    }
    filters.push(subType === undefined ? { type } : { type, match_sub_type: true, sub_type: subType });
  }
  return ok(filters);
}

function subTypeOf(text: string): number | undefined {
  if (/^\d{1,3}$/.test(text)) return Number(text);
  const index = (TRACE_POINTS as readonly string[]).indexOf(text);
  return index < 0 ? undefined : index;
}

const UNIT_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** A Go duration back from now (`30s`, `1h43m`) or an RFC 3339 time or date; gives RFC 3339. */
function pointInTime(text: string, nowNs: bigint): string | undefined {
  const duration = durationNs(text);
  if (duration !== undefined) return formatTime(nowNs - duration);
  const ns = parseTime(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text);
  return ns === undefined ? undefined : formatTime(ns);
}

/** Days are refused, as in Go. */
function durationNs(text: string): bigint | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text) || text.length > 40) return undefined;
  let sum = 0;
  for (const [, amount = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    sum += Number(amount) * (UNIT_NS[unit] ?? 0);
  }
  return Number.isSafeInteger(Math.round(sum)) ? BigInt(Math.round(sum)) : undefined;
}

function badTime(flag: string, text: string): ReturnType<typeof fail> {
  const reason = `--${flag} takes a duration such as 5m, or an RFC 3339 time: received ${JSON.stringify(text)}`;
  return fail('FLOW_REQUEST_INVALID', undefined, reason);
}
