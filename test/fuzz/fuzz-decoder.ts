/** Mutated packets through the decoder: a message or a failure value, in bounded time, and nothing that stays. */
import { decodeMessage } from '../../src/dns/decode-message.ts';
import { encodeMessage } from '../../src/dns/encode-message.ts';
import { liveBytes, MAX_PACKET_MS } from './bounds.ts';
import { corpus } from './corpus.ts';
import { Mutator } from './mutator.ts';
import { Random } from './random.ts';
import { countOutcome, newReport, noteTime, type StageReport } from './stage-report.ts';
import { Violation } from './violation.ts';
import { walkQuery } from './wire/strict-walk.ts';
import { u16At } from './wire/wire-fields.ts';

const STAGE = 'decoder';
/** Compiled code and caches have their size by then. */
const WARM_PACKETS = 100_000;
/** Of live objects; nothing is kept, and compiled code is a few hundred kilobytes. */
const MAX_GROWTH_BYTES = 4 * 1_048_576;
/** One in so many messages is encoded and decoded again: that costs ten times as much. */
const ROUND_TRIP_SHARE = 64;
const PROGRESS_PACKETS = 1_000_000;

export interface FuzzOptions {
  readonly seed: number;
  readonly count: number;
  readonly progress: (text: string) => void;
}

/** Throws a `Violation`. */
export function fuzzDecoder({ seed, count, progress }: FuzzOptions): StageReport {
  const report = newReport(STAGE);
  const mutator = new Mutator(new Random(seed), corpus());
  report.memory.beforeBytes = liveBytes();
  const startedMs = performance.now();
  for (let i = 0; i < count; i++) {
    if (i === Math.min(WARM_PACKETS, count >> 1)) report.memory.beforeBytes = liveBytes();
    const packet = mutator.bytes.subarray(0, mutator.next());
    const fault = decodeOne(packet, i, report);
    if (fault !== undefined) throw new Violation({ stage: STAGE, seed, index: i, packet, what: fault });
    if ((i + 1) % PROGRESS_PACKETS === 0) progress(`${STAGE}: ${i + 1}`);
  }
  report.packets = count;
  report.seconds = (performance.now() - startedMs) / 1000;
  report.memory.afterBytes = liveBytes();
  const growth = report.memory.afterBytes - report.memory.beforeBytes;
  if (growth > MAX_GROWTH_BYTES) {
    const what = `memory grew by ${growth} bytes`;
    throw new Violation({ stage: STAGE, seed, index: count, packet: new Uint8Array(0), what });
  }
  return report;
}

function decodeOne(packet: Uint8Array, index: number, report: StageReport): string | undefined {
  try {
    const before = performance.now();
    const decoded = decodeMessage(packet);
    const ms = performance.now() - before;
    if (ms > report.slowestMs) noteTime(report, ms, index);
    if (ms > MAX_PACKET_MS && timeOf(packet) > MAX_PACKET_MS) return `took ${ms.toFixed(1)} ms`;
    if (!decoded.ok) {
      countOutcome(report, decoded.code);
      return undefined;
    }
    countOutcome(report, 'ok');
    if (index % ROUND_TRIP_SHARE !== 0) return undefined;
    return roundTripFault(decoded.value) ?? secondOpinion(packet);
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

/** What the decoder takes, a second reader takes too. */
function secondOpinion(packet: Uint8Array): string | undefined {
  if (u16At(packet, 4) > 1) return undefined;
  const walked = walkQuery(packet);
  return 'fault' in walked ? `a message for the decoder, but: ${walked.fault}` : undefined;
}

/** A pause of the machine is not repeated. */
function timeOf(packet: Uint8Array): number {
  const before = performance.now();
  decodeMessage(packet);
  return performance.now() - before;
}

type Decoded = Extract<ReturnType<typeof decodeMessage>, { readonly ok: true }>['value'];

function roundTripFault(message: Decoded): string | undefined {
  const again = decodeMessage(encodeMessage(message));
  if (!again.ok) return `its encoding does not decode: ${again.code}`;
  const [first, second] = [message, again.value].map((each) => JSON.stringify(each));
  return first === second ? undefined : `encoded and decoded it became ${second} from ${first}`;
}
