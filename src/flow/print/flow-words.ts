/**
 * The columns of a flow as the stock CLI words them (spec hubble 3.1, 4): ends, identities, type, verdict, summary. Every
 * word that comes from outside is escaped here, before colour is put around it.
 */
import {
  type Endpoint,
  EVENT_TYPES,
  type Flow,
  flowPorts,
  type PolicyRef,
  type ServiceRef,
  TRACE_POINTS,
  type Verdict,
} from '../api.ts';
import { RESERVED_WORDS } from '../identity.ts';
import { escapeControls } from './escape.ts';
import type { TimeFormat } from './time-format.ts';

export interface PrintOptions {
  readonly printNodeName?: boolean;
  /** Which policies allowed or denied, in policy verdicts. */
  readonly printPolicyNames?: boolean;
  /** Addresses instead of names: `--numeric`, `--ip-translation=false`. */
  readonly numeric?: boolean;
  /** Terminal colours. */
  readonly color?: boolean;
  readonly timeFormat?: TimeFormat;
}

type Side = 'source' | 'destination';

/** Host and port, where there is one; a host with colons is bracketed then. */
export function endText(flow: Flow, side: Side, options: PrintOptions): string {
  const host = escapeControls(hostOf(flow, side, options));
  const port = flowPorts(flow)[`${side}_port`] ?? 0;
  if (port === 0) return paint(host, 'cyan', options);
  const bracketed = host.includes(':') ? `[${host}]` : host;
  return paint(`${bracketed}:${paint(String(port), 'yellow', options)}`, 'cyan', options);
}

/** Pod, else service, else the names the address was resolved from, else the address, else the MAC address. */
function hostOf(flow: Flow, side: Side, options: PrintOptions): string {
  const address = flow.IP[side];
  if (address === '') return flow.ethernet?.[side] ?? '';
  if (options.numeric === true) return address;
  const endpoint: Endpoint = flow[side];
  const service: ServiceRef | undefined = flow[`${side}_service`];
  const name = endpoint.pod_name || service?.name;
  if (name !== undefined && name !== '') {
    // The service's namespace overrides the endpoint's while the pod's name still wins: the stock CLI does so.
    const namespace = service?.namespace ?? endpoint.namespace ?? '';
    return namespace === '' ? name : `${namespace}/${name}`;
  }
  const names = flow[`${side}_names`] ?? [];
  return names.length > 0 ? names.join(',') : address;
}

export function identityText(flow: Flow, side: Side, options: PrintOptions): string {
  const identity = flow[side].identity ?? 0;
  return paint(`(${RESERVED_WORDS.get(identity) ?? `ID:${identity}`})`, 'magenta', options);
}

/** The TYPE column (spec hubble 4.1). Any flow with an L7 record takes that branch, whatever its event type says. */
export function typeText(flow: Flow): string {
  return escapeControls(typeOf(flow));
}

function typeOf(flow: Flow): string {
  const { l7 } = flow;
  if (l7 !== undefined) {
    const word = l7.type.toLowerCase();
    return l7.dns === undefined ? `l7-${word}` : `dns-${word} ${l7.dns.observation_source ?? ''}`;
  }
  const { type = 0, sub_type: sub = 0 } = flow.event_type;
  switch (type) {
    case EVENT_TYPES.trace:
      return TRACE_POINTS[sub] ?? String(sub);
    case EVENT_TYPES.drop:
      return DROP_TEXTS.get(sub) ?? String(sub);
    case EVENT_TYPES.policyVerdict: {
      const match = flow.policy_match_type ?? 0;
      const direction = flow.traffic_direction ?? 'TRAFFIC_DIRECTION_UNKNOWN';
      return `policy-verdict:${POLICY_MATCHES[match] ?? match} ${direction}`;
    }
    case EVENT_TYPES.capture:
      return 'DBG_CAPTURE_POINT_UNKNOWN';
    case EVENT_TYPES.sock:
      return xlateText(flow, sub);
    default:
      return 'UNKNOWN';
  }
}

const XLATE_TEXTS: Readonly<Record<string, string>> = {
  SOCK_XLATE_POINT_PRE_DIRECTION_FWD: 'pre-xlate-fwd',
  SOCK_XLATE_POINT_POST_DIRECTION_FWD: 'post-xlate-fwd',
  SOCK_XLATE_POINT_PRE_DIRECTION_REV: 'pre-xlate-rev',
  SOCK_XLATE_POINT_POST_DIRECTION_REV: 'post-xlate-rev',
};

/** A server that obeys the stock field mask leaves the point out; the sub type has the same number (spec hubble 4.3). */
function xlateText({ sock_xlate_point: point }: Flow, sub: number): string {
  const texts = Object.values(XLATE_TEXTS);
  return (point === undefined ? texts[sub - 1] : XLATE_TEXTS[point]) ?? point ?? 'SOCK_XLATE_POINT_UNKNOWN';
}

const POLICY_MATCHES = ['none', 'L3-Only', 'L3-L4', 'L4-Only', 'all', 'L3-Proto', 'Proto-Only'] as const;

/** The column reads the number, not the enum's word; these are the reasons that matter here (spec hubble 4.5). */
const DROP_TEXTS: ReadonlyMap<number, string> = new Map([
  [132, 'Invalid source ip'],
  [133, 'Policy denied'],
  [139, 'Unsupported L3 protocol'],
  [142, 'Unknown L4 protocol'],
  [155, 'CT: Map insertion failed'],
  [158, 'Service backend not found'],
  [178, 'Socket lookup failed'],
  [179, 'Socket assign failed'],
  [181, 'Policy denied by denylist'],
  [196, 'TTL exceeded'],
]);

export function verdictText(flow: Flow, options: PrintOptions): string {
  const { verdict } = flow;
  const isPolicy = flow.event_type.type === EVENT_TYPES.policyVerdict;
  const word = isPolicy ? (POLICY_WORDS[verdict] ?? verdict) : verdict;
  const by = isPolicy && options.printPolicyNames === true ? policyNames(flow) : '';
  return paint(escapeControls(`${word}${by}`), VERDICT_COLORS[verdict], options);
}

const POLICY_WORDS: Readonly<Partial<Record<Verdict, string>>> = {
  FORWARDED: 'ALLOWED',
  REDIRECTED: 'ALLOWED',
  DROPPED: 'DENIED',
  ERROR: 'DENIED',
  AUDIT: 'AUDITED',
};

/** ` BY web (CiliumNetworkPolicy), all (…)`, of the direction that the verdict is about. */
function policyNames(flow: Flow): string {
  const isDenied = POLICY_WORDS[flow.verdict] === 'DENIED';
  const egress = isDenied ? flow.egress_denied_by : flow.egress_allowed_by;
  const ingress = isDenied ? flow.ingress_denied_by : flow.ingress_allowed_by;
  const policies: readonly PolicyRef[] = (flow.traffic_direction === 'EGRESS' ? egress : ingress) ?? [];
  const named = policies.filter(({ name = '', kind = '' }) => name !== '' && kind !== '');
  if (named.length === 0 || flow.verdict === 'AUDIT' || flow.traffic_direction === undefined) return '';
  return ` BY ${named.map(({ name, kind }) => `${name} (${kind})`).join(', ')}`;
}

export function summaryText({ Summary }: Flow): string {
  return escapeControls(Summary);
}

type Color = 'red' | 'green' | 'yellow' | 'magenta' | 'cyan';
const SGR: Readonly<Record<Color, number>> = { red: 31, green: 32, yellow: 33, magenta: 35, cyan: 36 };

const VERDICT_COLORS: Readonly<Partial<Record<Verdict, Color>>> = {
  FORWARDED: 'green',
  REDIRECTED: 'green',
  DROPPED: 'red',
  ERROR: 'red',
  AUDIT: 'yellow',
  TRACED: 'yellow',
  TRANSLATED: 'yellow',
};

function paint(text: string, color: Color | undefined, options: PrintOptions): string {
  return options.color === true && color !== undefined ? `\x1b[${SGR[color]}m${text}\x1b[0m` : text;
}
