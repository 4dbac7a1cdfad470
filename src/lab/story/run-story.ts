/** The two field reports with real packets, act by act. The exit code says whether every act showed what it should. */
import { styleText } from 'node:util';
import { formatSeconds } from '../progress.ts';
import { type PageOpener, stopped, whatToTry, withLab } from '../run-lab.ts';
import { hubbleSocket, NODES } from '../topology.ts';
import type { Lab } from '../up.ts';
import { actFive } from './act-five.ts';
import { actFour } from './act-four.ts';
import { actOne } from './act-one.ts';
import { actThree } from './act-three.ts';
import { actTwo } from './act-two.ts';
import { openFlowTap } from './flow-tap.ts';
import { heading, type Stage } from './stage.ts';

const ACTS = [actOne, actTwo, actThree, actFour, actFive] as const;

export interface StoryOptions {
  /** Keep the lab up after the last act, until Ctrl-C. */
  readonly stay: boolean;
  /** Called when it stays. */
  readonly openPage: PageOpener;
}

export async function runStory({ stay, openPage }: StoryOptions): Promise<number> {
  const startedMs = performance.now();
  console.log(styleText('bold', 'zerohop: the lab comes up'));
  return withLab(async (lab, stop) => {
    const page = stay ? await openPage() : undefined;
    try {
      if (page !== undefined) console.log(`  what follows can be watched at ${page.url}`);
      const failures = await tell(lab, stop);
      console.log(heading(verdictLine(failures.length, performance.now() - startedMs)));
      for (const failure of failures) console.log(styleText('red', `  ✗ ${failure}`));
      if (page !== undefined) {
        console.log(`\n${whatToTry(lab, page.url)}`);
        await stopped(stop);
      }
      return failures.length === 0 ? 0 : 1;
    } finally {
      await page?.close();
    }
  });
}

async function tell(lab: Lab, stop: AbortSignal): Promise<readonly string[]> {
  const pods = await lab.api.pods();
  const caches = pods
    .filter(({ name }) => name.startsWith('node-local-dns-'))
    .map(({ namespace, name, node }) => ({ pod: `${namespace}/${name}`, node }));
  const tap = openFlowTap(NODES.map((node) => `unix://${hubbleSocket(node)}`));
  try {
    return await unlessStopped(
      playActs({ lab, tap, caches, stop, say: (text = '') => console.log(text) }),
      stop,
    );
  } finally {
    tap.close();
  }
}

/**
 * Settles as `work` does, or rejects as soon as somebody stops the lab: what the work still waits for then goes with the
 * lab, and its complaint with it. Holds nothing that keeps the process alive.
 */
function unlessStopped<T>(work: Promise<T>, stop: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    stop.addEventListener('abort', () => reject(stop.reason), { once: true });
    work.then(resolve, reject);
  });
}

async function playActs(stage: Stage): Promise<readonly string[]> {
  const failures: string[] = [];
  for (const [i, act] of ACTS.entries()) {
    stage.stop.throwIfAborted();
    const failed = await act(stage);
    failures.push(...failed.map((failure) => `Act ${i + 1}: ${failure}`));
  }
  return failures;
}

function verdictLine(failures: number, elapsedMs: number): string {
  const time = `in ${formatSeconds(elapsedMs)}`;
  return failures === 0
    ? `Every act showed what it should, ${time}`
    : `Not every act showed what it should, ${time}`;
}
