/**
 * Act 5: `kill -9` of the local cache under a steady load. What is lost is what was in the dead process's hands; everything
 * after it is answered by the cluster's DNS until the cache is back. The client's names are not answered by the kernel here,
 * which would lose nothing and show nothing of the redirect.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { endpointPod, type Flow } from '../../flow/api.ts';
import { parseTime } from '../../flow/time.ts';
import { flowTraceId, parseTraceId } from '../../flow/trace-id.ts';
import { serverOf } from '../../flow/verdict.ts';
import { killPod } from '../exec.ts';
import { type AnswerFlow, formatLoadReport, loadReport, type PhaseRow } from '../load/load-report.ts';
import type { LoadResult } from '../load/query-load.ts';
import { WORKER_NODE } from '../topology.ts';
import { wishAnswers } from './kernel-answers.ts';
import { type Act, CLIENT, command, heading, indent, type Stage } from './stage.ts';
import { startLoad } from './start-load.ts';

const RATE = 500;
const LOAD_SECONDS = 9;
const KILL_AFTER_MS = 2_500;
/**
 * A killed process keeps its sockets until the kernel has taken its memory apart, tens of milliseconds for a Node process,
 * more on a busy machine: what is sent meanwhile is in its hands, and what it had taken just before. A query lost at any
 * other time is a failure.
 */
const DYING_MS = 100;
const LOOK_MS = 5;
const LOOKS = 1000;

export const actFive: Act = async (stage) => {
  const { say, tap } = stage;
  const cache = stage.caches.find(({ node }) => node === WORKER_NODE.name);
  if (cache === undefined) return [`there is no cache on ${WORKER_NODE.name}`];
  say(heading(`Act 5  kill -9 of the cache under ${RATE} queries per second`));
  await wishAnswers(stage, 'deny');
  say(
    command(`npx zerohop lab kill ${cache.pod}   # ${KILL_AFTER_MS / 1000} s into ${LOAD_SECONDS} s of load`),
  );
  tap.mark();
  const fellBackBefore = await fellBack(stage);
  const load = startLoad(RATE, LOAD_SECONDS);
  await sleep(KILL_AFTER_MS, undefined, { signal: stage.stop });
  const killedAtMs = Date.now();
  const goneMs = untilGone(killPod(cache.pod)).then(() => Date.now() - killedAtMs);
  const results = await load;
  const answers = answerFlows(await tap.settled());
  const backAtMs = firstAnswer(answers, cache.pod, killedAtMs + 100);
  const rows = loadReport(results, phases(killedAtMs, backAtMs), answers);
  say(indent(formatLoadReport(rows)));
  if (backAtMs !== undefined) {
    say(indent(`the cache answers again ${((backAtMs - killedAtMs) / 1000).toFixed(2)} s after the kill`));
  }
  const inKernel = (await fellBack(stage)) - fellBackBefore;
  say(
    indent(`${inKernel} packets fell back in the kernel: the policy named a cache that had no socket open`),
  );
  const lost = lostOffsetsMs(results, killedAtMs);
  if (lost.length > 0) {
    const last = Math.max(...lost).toFixed(0);
    say(indent(`what was lost was in the dying process's hands: the last sent ${last} ms after the kill`));
  }
  await wishAnswers(stage, 'as others');
  const untilMs = Math.max(DYING_MS, await goneMs);
  const stray = lost.filter((offset) => offset < -DYING_MS || offset > untilMs);
  return [
    ...judge(rows, cache.pod, stage),
    ...(inKernel > 0n ? [] : ['queries should have fallen back in the kernel']),
    ...stray
      .map((offset) => `a query was lost that was sent ${offset.toFixed(0)} ms after the kill`)
      .slice(0, 5),
  ];
};

/** Resolves when no thread of the process is left to hold its sockets open, or after five seconds. */
async function untilGone(pid: number): Promise<void> {
  for (let look = 0; look < LOOKS && isDying(pid); look++) await sleep(LOOK_MS);
}

/** A process whose threads have all gone is a zombie (proc(5), `stat`) until it is buried. */
function isDying(pid: number): boolean {
  try {
    if (readdirSync(`/proc/${pid}/task`).length > 1) return true;
    return !/^\d+ \(.*\) Z /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** When the lost queries were sent, in milliseconds after the kill; negative before it. */
function lostOffsetsMs(results: readonly LoadResult[], killedAtMs: number): readonly number[] {
  return results.filter(({ tookMs }) => tookMs === undefined).map(({ sentAtMs }) => sentAtMs - killedAtMs);
}

/** Packets of redirected frontends that found no open socket at their backend. */
async function fellBack(stage: Stage): Promise<bigint> {
  const { counters } = await stage.lab.api.agent(WORKER_NODE).status();
  return BigInt(counters.fellBack['no-socket']);
}

function phases(killedAtMs: number, backAtMs: number | undefined): { name: string; fromMs: number }[] {
  const after = backAtMs === undefined ? [] : [{ name: 'after', fromMs: backAtMs }];
  return [{ name: 'before', fromMs: 0 }, { name: 'during', fromMs: killedAtMs }, ...after];
}

/** Replies to the client as they left a DNS server's pod, on whichever node. */
function answerFlows(flows: readonly Flow[]): AnswerFlow[] {
  return flows.flatMap((flow) => {
    const trace = parseTraceId(flowTraceId(flow) ?? '');
    const server = flow.is_reply === true ? serverOf(flow) : undefined;
    if (trace === undefined || server === undefined) return [];
    if (endpointPod(flow.destination) !== CLIENT) return [];
    const atMs = Number((parseTime(flow.time) ?? 0n) / 1000n) / 1000;
    return [{ sourcePort: trace.port, id: trace.id, atMs, server }];
  });
}

function firstAnswer(answers: readonly AnswerFlow[], server: string, afterMs: number): number | undefined {
  const times = answers
    .filter((answer) => answer.server === server && answer.atMs > afterMs)
    .map(({ atMs }) => atMs);
  return times.length === 0 ? undefined : Math.min(...times);
}

function judge(rows: readonly PhaseRow[], cache: string, stage: Stage): readonly string[] {
  const [before, during, after] = rows;
  const failures: string[] = [];
  const byCluster = [...(during?.by ?? [])].filter(([server]) => server.startsWith('kube-system/coredns-'));
  if ((before?.by.get(cache) ?? 0) === 0) failures.push('the cache should have answered before the kill');
  if (byCluster.length === 0) failures.push('coredns should have answered while the cache was dead');
  if ((after?.by.get(cache) ?? 0) === 0) failures.push('the cache should have answered once it was back');
  if (stage.tap.lost() > 0) failures.push(`the observer lost ${stage.tap.lost()} flows`);
  return failures;
}
