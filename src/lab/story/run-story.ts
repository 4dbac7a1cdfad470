/** The two field reports with real packets, act by act. The exit code says whether every act showed what it should. */
import { styleText } from 'node:util';
import { formatSeconds } from '../progress.ts';
import { stopped, whatToTry, withLab } from '../run-lab.ts';
import { NODES } from '../topology.ts';
import { actFour } from './act-four.ts';
import { actOne } from './act-one.ts';
import { actThree } from './act-three.ts';
import { actTwo } from './act-two.ts';
import { openFlowTap } from './flow-tap.ts';
import { heading, type Stage } from './stage.ts';

const ACTS = [actOne, actTwo, actThree, actFour] as const;

export interface StoryOptions {
  /** Keep the lab up after the last act, until Ctrl-C. */
  readonly stay: boolean;
}

export async function runStory({ stay }: StoryOptions): Promise<number> {
  const started = performance.now();
  console.log(styleText('bold', 'zerohop: the lab comes up'));
  return withLab(async (lab, stop) => {
    const pods = await lab.api.pods();
    const caches = pods
      .filter(({ name }) => name.startsWith('node-local-dns-'))
      .map(({ namespace, name, node }) => ({ pod: `${namespace}/${name}`, node }));
    const tap = openFlowTap(NODES.map((node) => lab.api.agent(node)));
    const stage: Stage = { lab, tap, caches, stop, say: (text = '') => console.log(text) };
    const failures = await unlessStopped(playActs(stage), stop);
    tap.close();
    console.log(heading(verdictLine(failures.length, performance.now() - started)));
    for (const failure of failures) console.log(styleText('red', `  ✗ ${failure}`));
    if (stay) {
      console.log(`\n${whatToTry(lab.server)}`);
      await stopped(stop);
    }
    return failures.length === 0 ? 0 : 1;
  });
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
