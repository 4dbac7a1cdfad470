/** `lab up` and `lab down`: the lab as long as somebody wants it, and never longer. */
import { AppError } from '../fault/app-error.ts';
import { liveOwner } from './owner.ts';
import { createProgress } from './progress.ts';
import { tearDown } from './teardown.ts';
import { bringUp, type Lab } from './up.ts';

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Brings the lab up, hands it to `work`, and takes it away whatever happened: an error, a signal, or the end of the
 * work. `work` is told by the signal when somebody wants to stop. Returns the exit code of `work`, or 130 when stopped.
 */
export async function withLab(work: (lab: Lab, stop: AbortSignal) => Promise<number>): Promise<number> {
  const stop = new AbortController();
  const onSignal = () => stop.abort(new AppError('LAB_STOPPED', 'Stopped'));
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  const progress = createProgress((text) => process.stdout.write(text));
  try {
    const lab = await bringUp(progress, stop.signal);
    try {
      return await work(lab, stop.signal);
    } finally {
      await progress.step('everything the lab made is taken away', () => lab.down());
    }
  } catch (error) {
    if (stop.signal.aborted) return 130;
    throw error;
  } finally {
    for (const signal of STOP_SIGNALS) process.removeListener(signal, onSignal);
  }
}

/** Serves the page of a lab that is up: the lab is below what knows of pages, so it is given one. */
export type PageOpener = () => Promise<LabPage>;

export interface LabPage {
  readonly url: string;
  close(): Promise<void>;
}

export function runLab(openPage: PageOpener): Promise<number> {
  return withLab(async (lab, stop) => {
    const page = await openPage();
    console.log(whatToTry(lab, page.url));
    await stopped(stop);
    return page.close().then(() => 0);
  });
}

/** Ends the lab that runs, if one does, and clears away what any lab left. */
export async function endLab(): Promise<number> {
  const owner = liveOwner();
  if (owner !== undefined) {
    process.kill(owner.pid, 'SIGTERM');
    console.log(`The lab is run by process ${owner.pid}, which has been asked to end it`);
    return (await ended(owner.pid)) ? 0 : 1;
  }
  await tearDown();
  console.log('Nothing of the lab is left');
  return 0;
}

async function ended(pid: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const started = performance.now();
  const timer = setInterval(() => {
    const gone = liveOwner()?.pid !== pid;
    if (!gone && performance.now() - started < 15_000) return;
    clearInterval(timer);
    resolve(gone);
  }, 100);
  return promise;
}

export function stopped(stop: AbortSignal): Promise<void> {
  if (stop.aborted) return Promise.resolve();
  // An AbortSignal's listener does not keep the process alive; the timer does.
  const timer = setInterval(() => undefined, 60_000);
  return new Promise((resolve) => {
    stop.addEventListener('abort', () => {
      clearInterval(timer);
      resolve();
    });
  });
}

export function whatToTry({ server, relay }: Lab, page: string): string {
  return `The lab is up; Ctrl-C takes it away. The way of its queries, live:

  ${page}

In another terminal, in this directory:

  npx zerohop lab exec netshoot -- dig google.com
  npx zerohop observe --protocol udp --port 53 -f
  npx zerohop doctor
  hubble observe --server ${relay} -f
  kubectl --server ${server} get pods,lrp -A
`;
}
