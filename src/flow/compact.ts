/**
 * Hubble's compact line, byte for byte (spec hubble 3.1, 3.5): `TIME[ [NODE]]: SRC (ID) ARROW DST (ID) TYPE VERDICT (SUMMARY)`.
 * A reply swaps its sides so that the initiator stays on the left. Printed text comes from outside (names asked by pods):
 * control characters never reach the terminal.
 */
import { ipFamily, parseIp } from '../net/ip.ts';
import {
  type Endpoint,
  EVENT_TYPES,
  type Flow,
  flowPorts,
  type GetFlowsResponse,
  type LostEvents,
  type ServiceRef,
  TRACE_POINTS,
  type Verdict,
} from './api.ts';
import { RESERVED_WORDS } from './identity.ts';
import { formatStampMilli } from './time.ts';

export interface CompactOptions {
  readonly printNodeName?: boolean;
  /** Addresses instead of names. */
  readonly numeric?: boolean;
  /** Terminal colours. */
  readonly color?: boolean;
}

/** One line without its newline. */
export function formatCompact(response: GetFlowsResponse, options: CompactOptions = {}): string {
  const time = formatStampMilli(response.flow?.time ?? response.time);
  const node = options.printNodeName === true ? ` [${escapeControls(response.node_name)}]` : '';
  if (response.flow === undefined) {
    return `${time}${node} ${formatLost(response.lost_events)}`;
  }
  return `${time}${node}: ${formatFlow(response.flow, options)}`;
}

function formatLost(lost: LostEvents | undefined): string {
  const cpu = lost?.cpu === undefined ? '' : ` CPU(${lost.cpu})`;
  return `EVENTS LOST: ${lost?.source ?? 'UNKNOWN'}${cpu} ${lost?.num_events_lost ?? '0'}`;
}

function formatFlow(flow: Flow, options: CompactOptions): string {
  const source = formatEnd(flow, 'source', options);
  const destination = formatEnd(flow, 'destination', options);
  const [left, arrow, right] =
    flow.is_reply === undefined
      ? [source, '<>', destination]
      : flow.is_reply
        ? [destination, '<-', source]
        : [source, '->', destination];
  const verdict = paint(flow.verdict, verdictColor(flow.verdict), options);
  return `${left} ${arrow} ${right} ${escapeControls(flowType(flow))} ${verdict} (${escapeControls(flow.Summary)})`;
}

function formatEnd(flow: Flow, side: 'source' | 'destination', options: CompactOptions): string {
  const endpoint = flow[side];
  const port = flowPorts(flow)[`${side}_port`] ?? 0;
  const host = hostOf(flow, side, options);
  const bracketed = port !== 0 && isIpv6(host) ? `[${host}]` : host;
  const shownPort = port === 0 ? '' : `:${paint(String(port), 'yellow', options)}`;
  const identity = paint(identityText(endpoint.identity ?? 0), 'magenta', options);
  return `${paint(escapeControls(bracketed), 'cyan', options)}${shownPort} ${identity}`;
}

function isIpv6(host: string): boolean {
  const ip = parseIp(host);
  return ip !== undefined && ipFamily(ip) === 6;
}

/** Pod, else service, else the names the address was resolved from, else the address. */
function hostOf(flow: Flow, side: 'source' | 'destination', options: CompactOptions): string {
  if (options.numeric === true) return flow.IP[side];
  const endpoint: Endpoint = flow[side];
  const service: ServiceRef | undefined = flow[`${side}_service`];
  const name = endpoint.pod_name ?? service?.name;
  if (name !== undefined && name !== '') {
    // The service's namespace overrides the endpoint's while the pod's name still wins: the stock CLI does so.
    const namespace = service?.namespace ?? endpoint.namespace ?? '';
    return namespace === '' ? name : `${namespace}/${name}`;
  }
  const names = flow[`${side}_names`] ?? [];
  return names.length > 0 ? names.join(',') : flow.IP[side];
}

function identityText(identity: number): string {
  return `(${RESERVED_WORDS.get(identity) ?? `ID:${identity}`})`;
}

/** The TYPE column (spec hubble 4.1). Any flow with an L7 record takes that branch, whatever its event type says. */
function flowType(flow: Flow): string {
  if (flow.l7?.dns !== undefined) {
    const word = flow.l7.type === 'RESPONSE' ? 'dns-response' : 'dns-request';
    return `${word} ${flow.l7.dns.observation_source ?? ''}`;
  }
  const { type = 0, sub_type: sub = 0 } = flow.event_type;
  if (type === EVENT_TYPES.trace) return TRACE_POINTS[sub] ?? String(sub);
  if (type === EVENT_TYPES.sock) return XLATE_WORDS[sub] ?? 'UNKNOWN';
  if (type === EVENT_TYPES.drop) return dropText(flow, sub);
  return 'UNKNOWN';
}

const XLATE_WORDS: readonly (string | undefined)[] = [
  undefined,
  'pre-xlate-fwd',
  'post-xlate-fwd',
  'pre-xlate-rev',
  'post-xlate-rev',
];

/** The TYPE column reads the number, not the enum word; these are the reasons that matter here (spec hubble 4.5). */
const DROP_TEXTS: ReadonlyMap<number, string> = new Map([
  [132, 'Invalid source ip'],
  [133, 'Policy denied'],
  [139, 'Unsupported L3 protocol'],
  [142, 'Unknown L4 protocol'],
  [158, 'Service backend not found'],
  [181, 'Policy denied by denylist'],
]);

function dropText(flow: Flow, code: number): string {
  return DROP_TEXTS.get(code) ?? flow.drop_reason_desc ?? String(code);
}

type Color = 'cyan' | 'yellow' | 'magenta' | 'green' | 'red';
const SGR: Readonly<Record<Color, number>> = { red: 31, green: 32, yellow: 33, magenta: 35, cyan: 36 };

function verdictColor(verdict: Verdict): Color | undefined {
  if (verdict === 'FORWARDED' || verdict === 'REDIRECTED') return 'green';
  if (verdict === 'DROPPED' || verdict === 'ERROR') return 'red';
  return verdict === 'VERDICT_UNKNOWN' ? undefined : 'yellow';
}

function paint(text: string, color: Color | undefined, options: CompactOptions): string {
  return options.color === true && color !== undefined ? `\x1b[${SGR[color]}m${text}\x1b[0m` : text;
}

/** ESC and CR as the stock CLI shows them; the other control characters, which it lets through, as `\xNN`. */
export function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (char) => {
    if (char === '\x1b') return '^[';
    if (char === '\r') return '\\r';
    if (char === '\n') return '\\n';
    return `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`;
  });
}
