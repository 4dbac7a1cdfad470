/**
 * Which flows a request asks for (spec hubble 6.4): a flow passes if it matches any whitelist filter, or there are none,
 * and no blacklist filter. Inside a filter every field must match, inside a field any value may. What cannot be matched
 * is refused by name when the request comes in: an ignored field would make people trust a wrong emptiness.
 */
import { fail, ok, type Result } from '../fault/result.ts';
import { parseIp } from '../net/ip.ts';
import { parsePrefix, prefixContains } from '../net/prefix.ts';
import {
  type Endpoint,
  type EventTypeFilter,
  type Flow,
  type FlowFilter,
  flowPorts,
  type GetFlowsRequest,
  type ServiceRef,
  VERDICTS,
} from './api.ts';
import { compileDnsQuery } from './dns-query.ts';
import { compileLabelSelector } from './label-selector.ts';

export type FlowPredicate = (flow: Flow) => boolean;
type Compiled = Result<FlowPredicate>;
type FieldCompiler = (value: unknown) => Compiled;

const MAX_FILTERS = 64;
const MAX_VALUES = 1024;

export function compileFilters(request: Pick<GetFlowsRequest, 'whitelist' | 'blacklist'>): Compiled {
  const allow = compileList(request.whitelist ?? [], 'whitelist');
  if (!allow.ok) return allow;
  const deny = compileList(request.blacklist ?? [], 'blacklist');
  if (!deny.ok) return deny;
  const allowed = allow.value;
  const denied = deny.value;
  return ok(
    (flow) =>
      (allowed.length === 0 || allowed.some((matches) => matches(flow))) &&
      !denied.some((matches) => matches(flow)),
  );
}

function compileList(filters: unknown, where: string): Result<readonly FlowPredicate[]> {
  if (!Array.isArray(filters)) return invalid(`${where} is a list of filters`);
  if (filters.length > MAX_FILTERS) return invalid(`${where} has more than ${MAX_FILTERS} filters`);
  const predicates: FlowPredicate[] = [];
  for (const filter of filters) {
    const compiled = compileFilter(filter);
    if (!compiled.ok) return compiled;
    predicates.push(compiled.value);
  }
  return ok(predicates);
}

/** One filter: all its fields must match; an empty field is as good as an absent one (proto3). */
export function compileFilter(filter: unknown): Compiled {
  if (typeof filter !== 'object' || filter === null) return invalid('a filter is an object');
  const predicates: FlowPredicate[] = [];
  for (const [field, value] of Object.entries(filter)) {
    const compile = Object.hasOwn(FIELDS, field) ? FIELDS[field as keyof FlowFilter] : undefined;
    if (compile === undefined) return unknownField(field);
    const compiled = compile(value);
    if (!compiled.ok) return { ...compiled, reason: `${field}: ${compiled.reason ?? compiled.code}` };
    if (!(Array.isArray(value) && value.length === 0)) predicates.push(compiled.value);
  }
  return ok((flow) => predicates.every((matches) => matches(flow)));
}

function unknownField(field: string): ReturnType<typeof fail> {
  const known = Object.keys(FIELDS).join(' ');
  return fail('FLOW_FILTER_UNKNOWN_FIELD', undefined, `${JSON.stringify(field)} is not one of: ${known}`);
}

function invalid(reason: string): ReturnType<typeof fail> {
  return fail('FLOW_FILTER_INVALID', undefined, reason);
}

/** A list field: every value compiled by `one`, any may match. */
function anyOf<T>(check: (value: unknown) => value is T, one: (value: T) => Compiled): FieldCompiler {
  return (values) => {
    if (!Array.isArray(values)) return invalid('expected a list');
    if (values.length > MAX_VALUES) return invalid(`more than ${MAX_VALUES} values`);
    const predicates: FlowPredicate[] = [];
    for (const value of values) {
      const compiled = check(value) ? one(value) : invalid(`cannot read ${JSON.stringify(value)}`);
      if (!compiled.ok) return compiled;
      predicates.push(compiled.value);
    }
    return ok((flow) => predicates.some((matches) => matches(flow)));
  };
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
const isCount = (value: unknown): value is number => Number.isInteger(value);
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

const text = (one: (value: string) => Compiled): FieldCompiler => anyOf(isText, one);
const equal = (pick: (flow: Flow) => string | undefined): FieldCompiler =>
  text((value) => ok((flow) => pick(flow) === value));

type Side = 'source' | 'destination';

function ipField(side: Side): FieldCompiler {
  return text((value) => {
    const prefix = parsePrefix(value);
    if (prefix !== undefined) {
      return ok((flow) => {
        const address = parseIp(flow.IP[side]);
        return address !== undefined && prefixContains(prefix, address);
      });
    }
    const address = parseIp(value);
    if (address === undefined) return invalid(`${JSON.stringify(value)} is neither an address nor a prefix`);
    return ok((flow) => flow.IP[side] === address);
  });
}

/** `ns/prefix`, `ns/` the whole namespace, `/prefix` any namespace, a bare name means namespace default. */
function parseNamePattern(pattern: string): { readonly namespace: string; readonly prefix: string } {
  const slash = pattern.indexOf('/');
  if (slash < 0) return { namespace: 'default', prefix: pattern };
  return { namespace: pattern.slice(0, slash), prefix: pattern.slice(slash + 1) };
}

function podField(side: Side): FieldCompiler {
  return text((value) => {
    const { namespace, prefix } = parseNamePattern(value);
    if (namespace === '' && prefix === '') return invalid('a pod needs a name or a namespace');
    return ok((flow) => {
      const end: Endpoint = flow[side];
      if (namespace !== '' && end.namespace !== namespace) return false;
      return prefix === '' || (end.pod_name?.startsWith(prefix) ?? false);
    });
  });
}

function serviceField(side: Side): FieldCompiler {
  return text((value) => {
    const { namespace, prefix } = parseNamePattern(value);
    return ok((flow) => {
      const service: ServiceRef | undefined = flow[`${side}_service`];
      if (service === undefined || (namespace !== '' && service.namespace !== namespace)) return false;
      return service.name.startsWith(prefix);
    });
  });
}

function portField(side: Side): FieldCompiler {
  return text((value) => {
    const port = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN;
    if (!(port <= 65535)) return invalid(`${JSON.stringify(value)} is not a port`);
    return ok((flow) => flowPorts(flow)[`${side}_port`] === port);
  });
}

function labelField(side: Side): FieldCompiler {
  return text((value) => {
    const selector = compileLabelSelector(value);
    if (!selector.ok) return selector;
    return ok((flow) => selector.value(flow[side].labels ?? []));
  });
}

function identityField(side: Side): FieldCompiler {
  return anyOf(isCount, (value) => ok((flow) => (flow[side].identity ?? 0) === value));
}

function workloadField(side: Side): FieldCompiler {
  return anyOf(isRecord, (value) => {
    const { name, kind } = value;
    return ok((flow) =>
      (flow[side].workloads ?? []).some(
        (workload) =>
          (name === undefined || name === workload.name) && (kind === undefined || kind === workload.kind),
      ),
    );
  });
}

const L4_WORDS: Readonly<Record<string, FlowPredicate>> = {
  udp: (flow) => flow.l4.UDP !== undefined,
  tcp: (flow) => flow.l4.TCP !== undefined,
  dns: (flow) => flow.l7?.dns !== undefined,
};
/** Words Hubble knows and we never see: they match nothing, which is true. */
const UNSEEN_PROTOCOLS = ['sctp', 'icmp', 'icmpv4', 'icmpv6', 'vrrp', 'igmp', 'http', 'kafka'];

const protocolField = text((value) => {
  const word = value.toLowerCase();
  const matches = Object.hasOwn(L4_WORDS, word) ? L4_WORDS[word] : undefined;
  if (matches !== undefined) return ok(matches);
  if (UNSEEN_PROTOCOLS.includes(word)) return ok(() => false);
  return invalid(`${JSON.stringify(value)} is not a protocol`);
});

const verdictField = text((value) => {
  if (!VERDICTS.some((verdict) => verdict === value))
    return invalid(`${JSON.stringify(value)} is not a verdict`);
  return ok((flow) => flow.verdict === value);
});

const eventTypeField = anyOf(isRecord, (value: EventTypeFilter) => {
  const { type = 0, sub_type: sub = 0, match_sub_type: strict = false } = value;
  return ok((flow) => {
    if ((flow.event_type.type ?? 0) !== type) return false;
    return (!strict && sub === 0) || (flow.event_type.sub_type ?? 0) === sub;
  });
});

/** Unknown reply state matches neither value, except a drop, which counts as false (spec hubble 6.4). */
const replyField = anyOf(isBoolean, (value) =>
  ok((flow) => (flow.is_reply ?? (flow.verdict === 'DROPPED' ? false : undefined)) === value),
);

/** A name without a cluster is of the cluster `default`; `*` stands for anything. */
const nodeNameField = text((value) => {
  const qualify = (name: string) => (name.includes('/') ? name : `default/${name}`);
  const parts = qualify(value).split('*');
  return ok((flow) => matchesParts(qualify(flow.node_name), parts));
});

/** Glob with `*` only, by scanning: no regular expression is made of what a client sends. */
function matchesParts(name: string, parts: readonly string[]): boolean {
  const [head = '', ...rest] = parts;
  const tail = rest.pop();
  if (tail === undefined) return name === head;
  if (!name.startsWith(head) || !name.endsWith(tail) || name.length < head.length + tail.length) return false;
  let at = head.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= name.length - tail.length;
}

const FIELDS: Readonly<Partial<Record<keyof FlowFilter, FieldCompiler>>> = {
  source_ip: ipField('source'),
  source_pod: podField('source'),
  destination_ip: ipField('destination'),
  destination_pod: podField('destination'),
  verdict: verdictField,
  event_type: eventTypeField,
  source_label: labelField('source'),
  destination_label: labelField('destination'),
  protocol: protocolField,
  source_port: portField('source'),
  destination_port: portField('destination'),
  reply: replyField,
  source_service: serviceField('source'),
  destination_service: serviceField('destination'),
  dns_query: text((value) => {
    const pattern = compileDnsQuery(value);
    if (!pattern.ok) return pattern;
    return ok((flow) => flow.l7?.dns !== undefined && pattern.value(flow.l7.dns.query));
  }),
  source_identity: identityField('source'),
  destination_identity: identityField('destination'),
  node_name: nodeNameField,
  source_workload: workloadField('source'),
  destination_workload: workloadField('destination'),
  trace_id: equal((flow) => flow.trace_context?.parent.trace_id),
  uuid: equal((flow) => flow.uuid),
  traffic_direction: equal((flow) => flow.traffic_direction),
};
