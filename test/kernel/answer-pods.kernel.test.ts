/**
 * Two pods ask one real cache the same ten thousand things over real sockets, and get the same, though the kernel answers one
 * of them: plain queries, odd ones and garbage. Needs root. `ANSWER_SEED` chooses other queries.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { toIp } from '../../src/datapath/testing/conformance.ts';
import { fragment } from '../../src/datapath/testing/test-fragments.ts';
import { buildPacket } from '../../src/datapath/testing/test-packet.ts';
import { type Asked, type DrawnQuery, drawQuery, PLAIN_KINDS } from '../fuzz/answers/drawn-query.ts';
import { isAlike } from '../fuzz/answers/judge-answer.ts';
import { Random } from '../fuzz/random.ts';
import { AnsweredPods, ASKED, type Reply, VIP } from './answered-pods.ts';

const QUERIES = 10_000;
const AT_ONCE = 2000;
const SEED = Number(process.env.ANSWER_SEED ?? 20_261_123);
/** One may have been asked before a second ended, and the other one behind it; or a busy machine lost something. */
const TRIES = 10;
const PATIENT_MS = 3000;

let pods: AnsweredPods;

beforeAll(async () => {
  pods = await AnsweredPods.open('answered');
});
afterAll(() => pods.close());

interface Wanted extends DrawnQuery {
  readonly asked: Asked;
}

function draw(random: Random): Wanted {
  const asked = random.pick(ASKED);
  return { ...drawQuery(random, asked), asked };
}

/** The first time all of them; then those again of which the two did not get the same. */
async function compare(wanted: readonly Wanted[]): Promise<void> {
  let left = wanted;
  for (let tries = 0; left.length > 0; tries++) {
    const bytes = left.map((query) => query.bytes);
    const timeoutMs = tries === 0 ? undefined : PATIENT_MS;
    const [client, barred] = await Promise.all(
      [pods.client, pods.barred].map((pod) => pods.ask(pod, bytes, timeoutMs)),
    );
    left = left.filter((query, i) => !isSame(query, client?.[i], barred?.[i], tries));
  }
}

function isSame(query: Wanted, one: Reply, other: Reply, tries: number): boolean {
  if (one === undefined && other === undefined) return true;
  const says = [query.bytes, one, other].map((bytes) => bytes && Buffer.from(bytes).toString('hex'));
  if (says[1] === says[2]) return true;
  const mayTurn = Buffer.from(query.asked.name).includes('turn');
  const isWrong = one !== undefined && other !== undefined && !isAlike(one, other, { mayTurn, mayAge: true });
  // Whatever is no matter of time is wrong at once.
  if (isWrong || tries === TRIES) expect(says[1], `${query.kind}: ${says[0]}`).toBe(says[2]);
  return one !== undefined && other !== undefined && isAlike(one, other, { mayTurn, mayAge: false });
}

it(`${QUERIES} queries of two pods`, { timeout: 120_000 }, async () => {
  await pods.warmUp();
  const random = new Random(SEED);
  const before = pods.datapath.counters();
  let plain = 0;
  for (let i = 0; i < QUERIES; i += AT_ONCE) {
    const wanted = Array.from({ length: AT_ONCE }, () => draw(random));
    plain += wanted.filter(({ kind }) => PLAIN_KINDS.includes(kind)).length;
    await compare(wanted);
  }
  const after = pods.datapath.counters();
  const answered = Number(after.answered - before.answered);
  console.log(`${QUERIES} queries from each, ${plain} of them plain: ${answered} answered by the kernel`);
  expect(answered).toBeGreaterThan(0.85 * plain);
  expect(after.answersTorn).toBe(before.answersTorn);
});

it('queries in pieces, and whatever else is no datagram, are nothing to the kernel', async () => {
  const random = new Random(SEED);
  const ends = { protocol: 'UDP', source: toIp(pods.client.address), sourcePort: 40_000 } as const;
  const to = { destination: toIp(VIP), destinationPort: 53 };
  const frames = Array.from({ length: 300 }, (_, i) => {
    const payload = drawQuery(random, random.pick(ASKED)).bytes;
    const frame = buildPacket({ ...ends, ...to, payload });
    return i % 3 === 0 ? [frame.slice(0, 34 + random.below(frame.length - 34))] : fragment(frame, 16, i);
  });
  const before = pods.datapath.counters().answered;
  pods.sendFrames(pods.client, frames.flat());
  expect(pods.datapath.counters().answered).toBe(before);
  // What came before is no matter to what comes now.
  await compare(Array.from({ length: 200 }, () => draw(random)));
});
