/** What goes on by itself: names that the kernel answers while there is no process that could. */
import { killPod } from '../exec.ts';
import { WORKER_NODE } from '../topology.ts';
import { IN_HANDS } from './cache-trials.ts';
import type { Stage } from './stage.ts';
import type { Trial } from './trial.ts';

/** Of the queries while no cache was there. */
const SHARE = 0.95;
/** A death that nobody noticed would prove nothing. */
const LEAST_ASKED = 100;
/** Longer than a cache takes to come back. */
const FRESH_SECONDS = 15;

export const answersGoOn: Trial = {
  name: 'answers-go-on',
  what: 'kill -9 of the cache, whose names the kernel answers until it is back',
  // One whose TTL ends just then is the cache's to answer.
  mayLose: IN_HANDS,
  answered: true,
  async run(stage) {
    const pod = await stage.cachePod();
    await stage.until('the name has been stored of late', () => isFresh(stage));
    const killed = stage.happened('killed');
    killPod(pod.name);
    const complaints = await watched(stage);
    await stage.untilRestarted(pod);
    return { happenings: [killed], complaints };
  },
};

/** While no cache fills the map: how many of the queries of that time were answered, if that is too few. */
async function watched(stage: Stage): Promise<readonly string[]> {
  await stage.until('the agent knows of the death', async () => (await stage.answering()).caches === 0);
  const before = await stage.answering();
  let last = before;
  await stage.until('another cache fills the map', async () => {
    const now = await stage.answering();
    if (now.caches === 0) last = now;
    return now.caches > 0;
  });
  const answered = last.answered - before.answered;
  const asked = answered + last.passedOn - before.passedOn;
  if (asked >= LEAST_ASKED && answered >= SHARE * asked) return [];
  return [`the kernel answered ${answered} of ${asked} queries while there was no cache`];
}

async function isFresh(stage: Stage): Promise<boolean> {
  const { entries } = await stage.lab.api.agent(WORKER_NODE).answers();
  return entries.some(({ name, type, ttl }) => name === 'google.com.' && type === 'A' && ttl > FRESH_SECONDS);
}
