/**
 * Every flag of `hubble observe` v1.19.4 that filters (spec hubble 2.2), which field it fills and on which side, and one of
 * ours, `--dns-query`, for which the API has had a field all along. Flags are kept in the order typed, for `--not` is about
 * the next one.
 */
import { fail, ok, type Result } from '../../fault/result.ts';
import type { FlowFilter } from '../api.ts';
import {
  type ReadValue,
  readDirection,
  readDropReason,
  readEventType,
  readHeader,
  readIdentity,
  readInterface,
  readIpTraceId,
  readIpVersion,
  readTcpFlags,
  readText,
  readVerdict,
  readWorkload,
} from './flag-values.ts';

type Field = Exclude<keyof FlowFilter, 'experimental'>;

/** What a flag is about: one field, either end of a flow, or the namespaces that qualify the pods and services named. */
export type FlagPlace =
  | { readonly kind: 'field'; readonly field: Field }
  | { readonly kind: 'either'; readonly source: Field; readonly destination: Field }
  | { readonly kind: 'port' }
  | { readonly kind: 'namespace'; readonly side: 'either' | 'source' | 'destination' }
  | { readonly kind: 'expression' };

export interface FilterFlagSpec {
  /** Without its dashes. */
  readonly name: string;
  readonly short?: string;
  /** The word for its value; absent for a flag that takes none. */
  readonly argument?: string;
  readonly help: string;
  readonly place: FlagPlace;
  readonly read: ReadValue;
  /** False: a comma is part of the value. */
  readonly splits: boolean;
}

interface FlagDetails {
  readonly short?: string;
  readonly argument?: string;
  readonly read?: ReadValue;
  readonly splits?: boolean;
}

const spec = (name: string, place: FlagPlace, help: string, details: FlagDetails = {}): FilterFlagSpec => ({
  ...{ name, place, help, read: readText, splits: true },
  ...details,
});

const field = (name: string, of: Field, help: string, details: FlagDetails): FilterFlagSpec =>
  spec(name, { kind: 'field', field: of }, help, details);

/** `--x` for either end, `--from-x` and `--to-x`. */
function ends(
  name: string,
  [source, destination]: readonly [Field, Field],
  help: string,
  { short, ...details }: FlagDetails,
): readonly FilterFlagSpec[] {
  const either: FlagPlace = name === 'port' ? { kind: 'port' } : { kind: 'either', source, destination };
  return [
    spec(name, either, `either end: ${help}`, { ...details, ...(short === undefined ? {} : { short }) }),
    field(`from-${name}`, source, `the source: ${help}`, details),
    field(`to-${name}`, destination, `the destination: ${help}`, details),
  ];
}

function namespaces(name: string, help: string, short: string, argument?: string): readonly FilterFlagSpec[] {
  const details = argument === undefined ? { read: () => ok('') } : { argument };
  return [
    spec(name, { kind: 'namespace', side: 'either' }, `either end: ${help}`, { short, ...details }),
    spec(`from-${name}`, { kind: 'namespace', side: 'source' }, `the source: ${help}`, details),
    spec(`to-${name}`, { kind: 'namespace', side: 'destination' }, `the destination: ${help}`, details),
  ];
}

const ADDRESS = 'an address or a prefix';

export const FILTER_FLAGS: readonly FilterFlagSpec[] = [
  ...ends('pod', ['source_pod', 'destination_pod'], 'NAME (of default), NAMESPACE/NAME or NAMESPACE/', {
    argument: 'pod',
  }),
  ...namespaces('namespace', 'a namespace', 'n', 'namespace'),
  ...namespaces('all-namespaces', 'any namespace', 'A'),
  ...ends('workload', ['source_workload', 'destination_workload'], 'NAME, KIND/NAME or KIND/', {
    argument: 'workload',
    read: readWorkload,
  }),
  ...ends('label', ['source_label', 'destination_label'], 'a label selector', {
    short: 'l',
    argument: 'selector',
    splits: false,
  }),
  ...ends('identity', ['source_identity', 'destination_identity'], 'a number or a reserved word', {
    argument: 'identity',
    read: readIdentity,
  }),
  ...ends('cluster', ['source_cluster_name', 'destination_cluster_name'], 'a cluster', {
    argument: 'cluster',
  }),
  ...ends('service', ['source_service', 'destination_service'], 'NAME, NAMESPACE/NAME or NAMESPACE/', {
    argument: 'service',
  }),
  ...ends('ip', ['source_ip', 'destination_ip'], ADDRESS, { argument: 'address' }),
  field('snat-ip', 'source_ip_xlated', `what the source was translated to: ${ADDRESS}`, {
    argument: 'address',
  }),
  field('ipv4', 'ip_version', 'IPv4 only', { short: '4', read: () => ok('IPv4') }),
  field('ipv6', 'ip_version', 'IPv6 only', { short: '6', read: () => ok('IPv6') }),
  field('ip-version', 'ip_version', 'none, v4 or v6', { argument: 'version', read: readIpVersion }),
  ...ends('fqdn', ['source_fqdn', 'destination_fqdn'], 'a name that led to it, * is any text', {
    argument: 'pattern',
  }),
  ...ends('port', ['source_port', 'destination_port'], 'a port', { argument: 'port' }),
  field('protocol', 'protocol', 'udp, tcp, dns …', { argument: 'protocol' }),
  field('type', 'event_type', 'l7, trace, trace:to-endpoint, trace-sock, drop … or numbers', {
    short: 't',
    argument: 'type',
    read: readEventType,
  }),
  field('verdict', 'verdict', 'FORWARDED, DROPPED, TRACED, TRANSLATED …', {
    argument: 'verdict',
    read: readVerdict,
  }),
  field('drop-reason-desc', 'drop_reason_desc', 'why it was dropped: POLICY_DENIED …', {
    argument: 'reason',
    read: readDropReason,
  }),
  field('traffic-direction', 'traffic_direction', 'ingress or egress', {
    argument: 'direction',
    read: readDirection,
  }),
  field('interface', 'interface', 'the interface where it was seen', {
    argument: 'name',
    read: readInterface,
  }),
  field('encrypted', 'encrypted', 'encrypted flows only', { read: () => ok(true) }),
  field('unencrypted', 'encrypted', 'unencrypted flows only', { read: () => ok(false) }),
  field('tcp-flags', 'tcp_flags', 'packets with all these flags: syn,ack', {
    argument: 'flags',
    read: readTcpFlags,
    splits: false,
  }),
  field('dns-query', 'dns_query', 'DNS messages whose name matches (RE2, not anchored)', {
    argument: 'regexp',
    splits: false,
  }),
  field('http-status', 'http_status_code', 'no flow of zerohop has one', { argument: 'code' }),
  field('http-method', 'http_method', 'no flow of zerohop has one', { argument: 'method' }),
  field('http-path', 'http_path', 'no flow of zerohop has one', { argument: 'regexp', splits: false }),
  field('http-url', 'http_url', 'no flow of zerohop has one', { argument: 'regexp', splits: false }),
  field('http-header', 'http_header', 'no flow of zerohop has one', {
    argument: 'name:value',
    read: readHeader,
    splits: false,
  }),
  field('uuid', 'uuid', 'one flow, as -o json shows it', { argument: 'uuid' }),
  field('trace-id', 'trace_id', 'the whole way of one query, as -o json shows it: CLIENT:PORT/ID', {
    argument: 'id',
  }),
  field('ip-trace-id', 'ip_trace_id', 'no flow of zerohop has one', {
    argument: 'id',
    read: readIpTraceId,
  }),
  field('node-name', 'node_name', 'the node that saw it: NODE or CLUSTER/NODE, * is any text', {
    argument: 'pattern',
  }),
  field('node-label', 'node_labels', 'a label selector on the node that saw it', {
    argument: 'selector',
    splits: false,
  }),
  spec('cel-expression', { kind: 'expression' }, 'an expression; servers of zerohop refuse it', {
    argument: 'expression',
    splits: false,
  }),
];

const BY_NAME: ReadonlyMap<string, FilterFlagSpec> = new Map(FILTER_FLAGS.map((flag) => [flag.name, flag]));

export function filterFlagSpec(name: string): FilterFlagSpec | undefined {
  return BY_NAME.get(name);
}

/** One filter flag as typed. */
export interface FilterFlag {
  readonly name: string;
  /** Empty for a flag that takes none. */
  readonly value: string;
  /** `--not` stood before it. */
  readonly not?: boolean;
}

/** Takes the flags in the order typed, `not` among them. */
export interface FlagCollector {
  add(name: string, value?: string): void;
  /** Fails when a `--not` stands before no filter. */
  finish(): Result<readonly FilterFlag[]>;
}

export function createFlagCollector(): FlagCollector {
  const flags: FilterFlag[] = [];
  let negates = false;
  let fault: string | undefined;
  return {
    add(name, value = '') {
      if (name === 'not') {
        if (negates) fault ??= '--not is about the next filter only: two in a row';
        negates = true;
        return;
      }
      const splits = filterFlagSpec(name)?.splits === true && value.includes(',');
      const values = splits ? value.split(',').filter((part) => part !== '') : [value];
      for (const one of values) flags.push({ name, value: one, ...(negates ? { not: true } : {}) });
      negates = false;
    },
    finish() {
      const reason = fault ?? (negates ? '--not is about the next filter: none comes after it' : undefined);
      return reason === undefined ? ok(flags) : fail('FLOW_REQUEST_INVALID', undefined, reason);
    },
  };
}

/** The same from flags whose order does not matter: `{ 'to-port': ['53'] }` or `{ toPort: ['53'] }`; other keys are left. */
export function filterFlags(flags: object): readonly FilterFlag[] {
  return Object.entries(flags).flatMap(([key, values]: [string, unknown]) => {
    const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (filterFlagSpec(name) === undefined || !Array.isArray(values)) return [];
    return values.map((value) => ({ name, value: String(value) }));
  });
}
