/** Fields of a filter about what happened to a packet, and where (spec hubble 6.4). */
import { ok } from '../../fault/result.ts';
import { type EventTypeFilter, type Flow, TCP_FLAGS } from '../api.ts';
import {
  anyOf,
  type FlowPredicate,
  invalid,
  isBoolean,
  isRecord,
  text,
  textOrCount,
} from './field-compiler.ts';
import { compileNodePattern } from './name-pattern.ts';
import { compileRegexp } from './regexp.ts';

const PROTOCOLS: Readonly<Record<string, FlowPredicate>> = {
  udp: (flow) => flow.l4.UDP !== undefined,
  tcp: (flow) => flow.l4.TCP !== undefined,
  dns: (flow) => flow.l7?.dns !== undefined,
};
/** Words Hubble knows and we never see: they match nothing, which is true. */
const UNSEEN_PROTOCOLS = ['sctp', 'icmp', 'icmpv4', 'icmpv6', 'vrrp', 'igmp', 'http', 'kafka'];

export const protocolField = text((value) => {
  const protocol = value.toLowerCase();
  const matches = Object.hasOwn(PROTOCOLS, protocol) ? PROTOCOLS[protocol] : undefined;
  if (matches !== undefined) return ok(matches);
  if (UNSEEN_PROTOCOLS.includes(protocol)) return ok(() => false);
  return invalid(`${JSON.stringify(value)} is not a protocol`);
});

/** Sub type 0 is one of its own only when the filter says so. */
export const eventTypeField = anyOf(isRecord, (value: EventTypeFilter) => {
  const { type = 0, sub_type: sub = 0, match_sub_type: strict = false } = value;
  return ok((flow) => {
    if ((flow.event_type.type ?? 0) !== type) return false;
    return (!strict && sub === 0) || (flow.event_type.sub_type ?? 0) === sub;
  });
});

/** Unknown reply state matches neither value, except a drop, which counts as false (spec hubble 6.4). */
export const replyField = anyOf(isBoolean, (value) =>
  ok((flow) => (flow.is_reply ?? (flow.verdict === 'DROPPED' ? false : undefined)) === value),
);

export const encryptedField = anyOf(isBoolean, (value) =>
  ok((flow) => (flow.IP.encrypted ?? false) === value),
);

const KNOWN_FLAGS = [...TCP_FLAGS, 'NS'] as const;

/** All flags of the value, whatever others the packet has. */
export const tcpFlagsField = anyOf(isRecord, (value) => {
  const unknown = Object.keys(value).find((flag) => !KNOWN_FLAGS.some((known) => known === flag));
  if (unknown !== undefined) return invalid(`${JSON.stringify(unknown)} is not a TCP flag`);
  const wanted = KNOWN_FLAGS.filter((flag) => value[flag] === true);
  return ok((flow) => {
    const flags = flow.l4.TCP?.flags;
    return flags !== undefined && wanted.every((flag) => flags[flag] === true);
  });
});

export const interfaceField = anyOf(isRecord, ({ index = 0, name = '' }) =>
  ok(({ interface: at }) => {
    if (at === undefined) return false;
    return (index === 0 || index === at.index) && (name === '' || name === at.name);
  }),
);

export const nodeNameField = text((value) => {
  const pattern = compileNodePattern(value);
  if (!pattern.ok) return pattern;
  return ok((flow) => pattern.value(flow.node_name));
});

export const dnsQueryField = text((value) => {
  const pattern = compileRegexp(value);
  if (!pattern.ok) return pattern;
  return ok((flow) => flow.l7?.dns !== undefined && pattern.value(flow.l7.dns.query));
});

const NOTHING = ok((_flow: Flow) => false);

/** What we never see: the value is read, so that a mistake in it is told, and matches nothing. */
export const unseenText = text(() => NOTHING);
export const unseenNumber = textOrCount(() => NOTHING);
export const unseenHeader = anyOf(isRecord, () => NOTHING);
export const unseenPattern = text((value) => {
  const pattern = compileRegexp(value);
  return pattern.ok ? NOTHING : pattern;
});
