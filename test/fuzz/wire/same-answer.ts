/**
 * Whether two replies say the same: what a packet thread sends and what the chain would have sent. Their bytes are equal,
 * but for the order of records where `loadbalance` draws one, and for a second that has begun between the two.
 */
import { type WalkedRecord, walkReply } from './strict-walk.ts';

const HEADER_BYTES = 12;
const TTL_SLACK_SECONDS = 1;
const NOT_THERE = -1;

/** What differs; undefined when nothing does. */
export function difference(
  one: Uint8Array,
  other: Uint8Array,
  { shuffled }: { shuffled: boolean },
): string | undefined {
  if (Buffer.compare(one, other) === 0) return undefined;
  if (Buffer.compare(one.subarray(0, HEADER_BYTES), other.subarray(0, HEADER_BYTES)) !== 0)
    return 'headers differ';
  if (one.length !== other.length) return `lengths differ: ${one.length} and ${other.length}`;
  const [first, second] = [walkReply(one), walkReply(other)];
  if ('fault' in first || 'fault' in second) return 'one of them is malformed';
  if (first.question !== second.question) return 'questions differ';
  for (let i = 0; i < first.sections.length; i++) {
    const what = sectionDifference(first.sections[i] ?? [], second.sections[i] ?? [], shuffled);
    if (what !== undefined) return `section ${i + 1}: ${what}`;
  }
  return undefined;
}

/** The soonest end of all records; undefined without any. OPT has no TTL. */
export function lowestTtl(reply: Uint8Array): number | undefined {
  const walked = walkReply(reply);
  if ('fault' in walked) return undefined;
  const ttls = walked.sections.flat().flatMap(({ type, ttl }) => (type === 41 ? [] : [ttl]));
  return ttls.length === 0 ? undefined : Math.min(...ttls);
}

function sectionDifference(
  one: readonly WalkedRecord[],
  other: readonly WalkedRecord[],
  shuffled: boolean,
): string | undefined {
  const left = other.map((record) => ({ text: textOf(record), ttl: record.ttl }));
  for (const record of one) {
    const text = textOf(record);
    const at = left.findIndex(
      (each) => each.text === text && Math.abs(each.ttl - record.ttl) <= TTL_SLACK_SECONDS,
    );
    if (at > 0 && !shuffled) return `${text} stands elsewhere`;
    if (at === NOT_THERE) return `only one has ${text} with TTL ${record.ttl}`;
    left.splice(at, 1);
  }
  return left.length === 0 ? undefined : `${left.length} records more`;
}

function textOf({ owner, type, class: recordClass, data }: WalkedRecord): string {
  return `${owner} ${type} ${recordClass} ${Buffer.from(data).toString('hex')}`;
}
