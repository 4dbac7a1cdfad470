/** What the values of filter flags mean: from text as typed to what stands in a FlowFilter (spec hubble 2.2). */
import { fail, ok, type Result } from '../../fault/result.ts';
import { EVENT_TYPES, TCP_FLAGS, TRACE_POINTS, VERDICTS } from '../api.ts';
import { DROP_REASONS } from '../drop-reasons.ts';
import { RESERVED_IDENTITIES } from '../identity.ts';

/** Gives one value of a field; `flag` is for the message. */
export type ReadValue = (text: string, flag: string) => Result<unknown>;

export function badFlag(flag: string, expected: string, text: string): ReturnType<typeof fail> {
  return fail(
    'FLOW_REQUEST_INVALID',
    undefined,
    `--${flag} takes ${expected}: received ${JSON.stringify(text)}`,
  );
}

export const readText: ReadValue = (text) => ok(text);

function oneOf(words: readonly string[]): ReadValue {
  return (text, flag) =>
    words.includes(text) ? ok(text) : badFlag(flag, `one of ${words.join(', ')}`, text);
}

export const readVerdict = oneOf(VERDICTS);
export const readDirection: ReadValue = (text, flag) =>
  oneOf(['ingress', 'egress'])(text.toLowerCase(), flag).ok
    ? ok(text.toUpperCase())
    : badFlag(flag, 'ingress or egress', text);

export const readDropReason: ReadValue = (text, flag) =>
  [...DROP_REASONS.values()].includes(text) ? ok(text) : badFlag(flag, 'a word such as POLICY_DENIED', text);

const IP_VERSIONS: Readonly<Record<string, string>> = {
  none: 'IP_NOT_USED',
  ...Object.fromEntries(['4', 'v4', 'ipv4', 'ip4'].map((word) => [word, 'IPv4'])),
  ...Object.fromEntries(['6', 'v6', 'ipv6', 'ip6'].map((word) => [word, 'IPv6'])),
};

export const readIpVersion: ReadValue = (text, flag) => {
  const word = text.toLowerCase();
  return Object.hasOwn(IP_VERSIONS, word) ? ok(IP_VERSIONS[word]) : badFlag(flag, 'none, v4 or v6', text);
};

/** `syn,ack`: one value, a packet with both. */
export const readTcpFlags: ReadValue = (text, flag) => {
  const words = text.toUpperCase().split(',');
  const known: readonly string[] = [...TCP_FLAGS, 'NS'];
  if (!words.every((word) => known.includes(word))) return badFlag(flag, `some of ${known.join(', ')}`, text);
  return ok(Object.fromEntries(words.map((word) => [word, true])));
};

const MAX_IDENTITY = 0xffffffff;

export const readIdentity: ReadValue = (text, flag) => {
  const reserved = Object.entries(RESERVED_IDENTITIES).find(([word]) => word === text);
  if (reserved !== undefined) return ok(reserved[1]);
  if (/^\d{1,10}$/.test(text) && Number(text) <= MAX_IDENTITY) return ok(Number(text));
  return badFlag(flag, `a number or one of ${Object.keys(RESERVED_IDENTITIES).join(', ')}`, text);
};

/** `name`, `Kind/name`, `Kind/`. */
export const readWorkload: ReadValue = (text, flag) => {
  const slash = text.indexOf('/');
  const [kind, name] = slash < 0 ? ['', text] : [text.slice(0, slash), text.slice(slash + 1)];
  if (kind === '' && name === '') return badFlag(flag, 'NAME, KIND/NAME or KIND/', text);
  return ok({ ...(name === '' ? {} : { name }), ...(kind === '' ? {} : { kind }) });
};

export const readHeader: ReadValue = (text, flag) => {
  const colon = text.indexOf(':');
  if (colon < 0) return badFlag(flag, 'NAME:VALUE', text);
  return ok({ key: text.slice(0, colon), value: text.slice(colon + 1) });
};

export const readInterface: ReadValue = (text) => ok({ name: text });

export const readIpTraceId: ReadValue = (text, flag) =>
  /^[1-9]\d{0,19}$/.test(text) ? ok(text) : badFlag(flag, 'a number above 0', text);

const TYPE_NUMBERS: Readonly<Record<string, number>> = {
  drop: EVENT_TYPES.drop,
  capture: EVENT_TYPES.capture,
  trace: EVENT_TYPES.trace,
  'policy-verdict': EVENT_TYPES.policyVerdict,
  'trace-sock': EVENT_TYPES.sock,
  l7: EVENT_TYPES.l7,
};

/** `l7`, `trace:to-endpoint`, `4:5`. Sub type 0 is left out, as on the wire; `match_sub_type` says that it is meant. */
export const readEventType: ReadValue = (text, flag) => {
  const [word = '', sub, more] = text.split(':');
  const type = numberOf(word) ?? (Object.hasOwn(TYPE_NUMBERS, word) ? TYPE_NUMBERS[word] : undefined);
  const known = Object.keys(TYPE_NUMBERS).join(', ');
  if (type === undefined || more !== undefined) return badFlag(flag, `one of ${known}`, text);
  if (sub === undefined) return ok({ type });
  const subType = numberOf(sub) ?? (type === EVENT_TYPES.trace ? tracePoint(sub) : undefined);
  if (subType === undefined) {
    const points = type === EVENT_TYPES.trace ? ` or one of ${TRACE_POINTS.join(', ')}` : '';
    return badFlag(flag, `${word}: with a number${points}`, text);
  }
  return ok({ type, match_sub_type: true, ...(subType === 0 ? {} : { sub_type: subType }) });
};

function numberOf(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) ? Number(text) : undefined;
}

function tracePoint(text: string): number | undefined {
  const index = (TRACE_POINTS as readonly string[]).indexOf(text);
  return index < 0 ? undefined : index;
}
