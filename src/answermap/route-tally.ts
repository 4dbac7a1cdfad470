/** What the programs answered of one zone of one listener, in the words of the cache's own counters. */
import type { Name } from '../dns/name.ts';
import type { RouteTotals } from '../wirecache/contract.ts';
import { COUNTED_TYPES, COUNTER, countedType, sizeBucket } from '../wirecache/counter-layout.ts';
import { totalsOf } from '../wirecache/route-counters.ts';

/** Header, and type and class of the question. */
const FIXED_BYTES = 12 + 4;
/** An OPT record without options (RFC 6891 section 6.1.2). */
const OPT_BYTES = 11;
/** Families times what a query may have of EDNS: nothing, a bare OPT record, one with a cookie. */
export const HIT_KINDS = 6;
const EDNS_KINDS = 3;
const WITH_COOKIE = 2;

/** What was hit. */
export interface HitAnswer {
  readonly type: number;
  readonly rcode: number;
  readonly dnssecOk: boolean;
  readonly isDenial: boolean;
  readonly nameLength: number;
  readonly tailLength: number;
}

export class RouteTally {
  readonly view: number;
  readonly zone: Name;
  #sums = new Float64Array(COUNTER.END);

  constructor(view: number, zone: Name) {
    this.view = view;
    this.zone = zone;
  }

  /** `hits` as `answer_slot.hits`, since the last time; `cookieBytes` of all cookie options among them. */
  add(answer: HitAnswer, hits: Uint32Array, cookieBytes: number): void {
    const cookies = (hits[WITH_COOKIE] ?? 0) + (hits[EDNS_KINDS + WITH_COOKIE] ?? 0);
    // The bucket of each is that of the average: cookies of one client are all alike, and those of others hardly differ.
    const cookie = cookies === 0 ? 0 : Math.round(cookieBytes / cookies);
    for (let kind = 0; kind < HIT_KINDS; kind++) {
      const count = hits[kind] ?? 0;
      const edns = kind % EDNS_KINDS;
      const extra = edns === 0 ? 0 : OPT_BYTES + (edns === WITH_COOKIE ? cookie : 0);
      if (count > 0) this.#addKind(answer, kind < EDNS_KINDS ? 0 : 1, extra, count);
    }
    this.#add(COUNTER.REQUEST_BYTES, cookieBytes - cookie * cookies);
  }

  /** Since the last call; undefined when that is nothing. */
  take(): RouteTotals | undefined {
    const totals = totalsOf(this.#sums);
    if (totals !== undefined) this.#sums = new Float64Array(COUNTER.END);
    return totals;
  }

  #addKind(answer: HitAnswer, family: 0 | 1, extraBytes: number, count: number): void {
    const request = FIXED_BYTES + answer.nameLength + extraBytes;
    // As the metrics want it: without the OPT record.
    const response = FIXED_BYTES + answer.nameLength + answer.tailLength;
    this.#add(COUNTER.REQUESTS + family * COUNTED_TYPES.length + countedType(answer.type), count);
    this.#add(COUNTER.RCODES + answer.rcode, count);
    if (answer.dnssecOk) this.#add(COUNTER.DNSSEC_OK, count);
    this.#add(answer.isDenial ? COUNTER.DENIAL_HITS : COUNTER.SUCCESS_HITS, count);
    this.#add(COUNTER.REQUEST_BYTES, request * count);
    this.#add(COUNTER.RESPONSE_BYTES, response * count);
    this.#add(COUNTER.REQUEST_SIZES + sizeBucket(request), count);
    this.#add(COUNTER.RESPONSE_SIZES + sizeBucket(response), count);
    // A microsecond or less: the first bucket, and nothing that a sum of seconds could show.
    this.#add(COUNTER.DURATIONS, count);
  }

  #add(field: number, by: number): void {
    this.#sums[field] = (this.#sums[field] ?? 0) + by;
  }
}
