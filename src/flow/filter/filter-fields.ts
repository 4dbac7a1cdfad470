/** Every field of flow.FlowFilter and what it means, in the order of their numbers on the wire. */
import { fail, ok } from '../../fault/result.ts';
import { type FlowFilter, VERDICTS } from '../api.ts';
import { DROP_REASONS } from '../drop-reasons.ts';
import {
  addressField,
  domainField,
  identityField,
  labelField,
  podField,
  portField,
  serviceField,
  workloadField,
} from './endpoint-fields.ts';
import {
  dnsQueryField,
  encryptedField,
  eventTypeField,
  interfaceField,
  nodeNameField,
  protocolField,
  replyField,
  tcpFlagsField,
  unseenHeader,
  unseenNumber,
  unseenPattern,
  unseenText,
} from './event-fields.ts';
import { equal, type FieldCompiler, isRecord, word } from './field-compiler.ts';

const numbered = (words: readonly string[]): ReadonlyMap<number, string> => new Map(words.entries());

const IP_VERSIONS = numbered(['IP_NOT_USED', 'IPv4', 'IPv6']);
const DIRECTIONS = numbered(['TRAFFIC_DIRECTION_UNKNOWN', 'INGRESS', 'EGRESS']);

/** An expression in a language of its own, whose meaning rests on Cilium's types: refused rather than guessed at. */
const refuseExpressions: FieldCompiler = (value) => {
  const expressions = isRecord(value) ? value.cel_expression : undefined;
  if (Array.isArray(expressions) && expressions.length > 0) {
    return fail('FLOW_FILTER_UNKNOWN_FIELD', undefined, 'cel_expression is not understood here');
  }
  return ok(() => true);
};

export const FILTER_FIELDS: Readonly<Record<keyof FlowFilter, FieldCompiler>> = {
  source_ip: addressField((flow) => flow.IP.source),
  source_pod: podField('source'),
  destination_ip: addressField((flow) => flow.IP.destination),
  destination_pod: podField('destination'),
  verdict: word('a verdict', numbered(VERDICTS), (flow) => flow.verdict),
  event_type: eventTypeField,
  source_fqdn: domainField('source'),
  destination_fqdn: domainField('destination'),
  http_status_code: unseenText,
  source_label: labelField((flow) => flow.source.labels),
  destination_label: labelField((flow) => flow.destination.labels),
  protocol: protocolField,
  source_port: portField('source'),
  destination_port: portField('destination'),
  reply: replyField,
  source_service: serviceField('source'),
  destination_service: serviceField('destination'),
  dns_query: dnsQueryField,
  source_identity: identityField('source'),
  destination_identity: identityField('destination'),
  http_method: unseenText,
  http_path: unseenPattern,
  tcp_flags: tcpFlagsField,
  node_name: nodeNameField,
  ip_version: word('an IP version', IP_VERSIONS, (flow) => flow.IP.ipVersion),
  source_workload: workloadField('source'),
  destination_workload: workloadField('destination'),
  trace_id: equal((flow) => flow.trace_context?.parent.trace_id),
  uuid: equal((flow) => flow.uuid),
  traffic_direction: word(
    'a direction',
    DIRECTIONS,
    (flow) => flow.traffic_direction ?? 'TRAFFIC_DIRECTION_UNKNOWN',
  ),
  http_url: unseenPattern,
  http_header: unseenHeader,
  drop_reason_desc: word(
    'a drop reason',
    DROP_REASONS,
    (flow) => flow.drop_reason_desc ?? 'DROP_REASON_UNKNOWN',
  ),
  source_ip_xlated: addressField((flow) => flow.IP.source_xlated),
  interface: interfaceField,
  node_labels: labelField((flow) => flow.node_labels),
  source_cluster_name: equal((flow) => flow.source.cluster_name),
  destination_cluster_name: equal((flow) => flow.destination.cluster_name),
  ip_trace_id: unseenNumber,
  encrypted: encryptedField,
  experimental: refuseExpressions,
};

export function isFilterField(name: string): name is keyof FlowFilter {
  return Object.hasOwn(FILTER_FIELDS, name);
}
