/** Our own conditions beside the filters (`FlowNarrow`): all that are set must hold; unknown ones are refused by name. */
import { fail, ok } from '../../fault/result.ts';
import { type Flow, type FlowNarrow, isKernelAnswered } from '../api.ts';
import { createSample, MOST_ONE_IN } from '../sample.ts';
import { parseTime } from '../time.ts';
import { isBypassed, type LocalCaches } from './bypassed.ts';
import { type Compiled, type FlowPredicate, invalid, isCount } from './field-compiler.ts';

export interface NarrowOptions {
  /** Of the node that saw the flow; they change while a request is followed. Absent: nobody here knows them. */
  readonly cachesOf?: (nodeName: string) => LocalCaches | undefined;
  /** Where that node looks for DNS; absent: at the usual ports. */
  readonly dnsPorts?: readonly number[];
}

const MAX_RCODES = 64;
const NS_PER_MS = 1e6;

export function compileNarrow(narrow: FlowNarrow, options: NarrowOptions = {}): Compiled {
  if (typeof narrow !== 'object' || narrow === null) return invalid('narrow is an object');
  const { rcode, slow_ms: slowMs, bypassed, one_in: oneIn, kernel_answered: kernel, ...unknown } = narrow;
  const [other] = Object.keys(unknown);
  if (other !== undefined) {
    const reason = `narrow: ${JSON.stringify(other)} is not one of: rcode slow_ms bypassed one_in kernel_answered`;
    return fail('FLOW_FILTER_UNKNOWN_FIELD', undefined, reason);
  }
  const predicates: FlowPredicate[] = [];
  if (rcode !== undefined) {
    if (!isRcodes(rcode)) return invalid('narrow: rcode is a list of numbers from 0 to 4095');
    if (rcode.length > 0) predicates.push((flow) => isAnswer(flow, rcode));
  }
  if (slowMs !== undefined) {
    if (typeof slowMs !== 'number' || !(slowMs >= 0)) return invalid('narrow: slow_ms is a time from 0 on');
    predicates.push((flow) => Number(flow.l7?.latency_ns ?? Number.NaN) >= slowMs * NS_PER_MS);
  }
  if (bypassed !== undefined) {
    if (bypassed !== true) return invalid('narrow: bypassed is true, or absent');
    if (options.cachesOf === undefined) {
      return invalid("narrow: bypassed needs a server that knows its node's caches, and this one does not");
    }
    predicates.push((flow) => isBypassedOf(flow, options));
  }
  if (kernel !== undefined) {
    if (kernel !== true) return invalid('narrow: kernel_answered is true, or absent');
    predicates.push(isKernelAnswered);
  }
  if (oneIn !== undefined) {
    if (!isCount(oneIn) || oneIn < 2 || oneIn > MOST_ONE_IN)
      return invalid(`narrow: one_in is a whole number from 2 to ${MOST_ONE_IN}`);
    const isSampled = createSample(oneIn);
    predicates.push((flow) => isSampled(askedNs(flow)));
  }
  return ok((flow) => predicates.every((matches) => matches(flow)));
}

function isBypassedOf(flow: Flow, { cachesOf, dnsPorts }: NarrowOptions): boolean {
  const caches = cachesOf?.(flow.node_name);
  return caches !== undefined && isBypassed(flow, caches, dnsPorts);
}

/** What the kernel answers is told as one packet: its query has the same time. */
function askedNs(flow: Flow): bigint {
  const { time, l7 } = flow;
  return (parseTime(time) ?? 0n) - BigInt(isKernelAnswered(flow) ? 0 : (l7?.latency_ns ?? 0));
}

/** With EDNS a code has twelve bits (RFC 6891 section 6.1.3). */
function isRcodes(codes: unknown): codes is readonly number[] {
  if (!Array.isArray(codes) || codes.length > MAX_RCODES) return false;
  return codes.every((code) => isCount(code) && code >= 0 && code < 4096);
}

function isAnswer({ l7 }: Flow, rcodes: readonly number[]): boolean {
  return l7?.type === 'RESPONSE' && l7.dns !== undefined && rcodes.includes(l7.dns.rcode ?? 0);
}
