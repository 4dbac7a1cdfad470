/** Starts `servers/busy-api.ts` and tells it what to do. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../src/net/testing/free-ports.ts';
import { NODE } from './contenders.ts';
import { placed } from './processors.ts';
import type { Bench } from './suite.ts';

const START_TRIES = 200;
const TRY_MS = 25;

export interface BusyApi {
  readonly url: string;
  /** From now on the watch delivers, or does not; how many bytes it has delivered so far. */
  deliver(on: boolean): Promise<number>;
}

/** Ended with the suite. */
export async function startBusyApi(bench: Bench): Promise<BusyApi> {
  const port = await freePort();
  const program = join(import.meta.dirname, 'servers', 'busy-api.ts');
  const { command, args } = placed({ command: NODE, args: [program, String(port)] }, 'load');
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  bench.onClose(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  });
  const url = `http://127.0.0.1:${port}`;
  const ask = async (path: string) => Number(await (await fetch(`${url}${path}`)).text());
  for (let left = START_TRIES; ; left--) {
    try {
      await ask('/bench/sent');
      break;
    } catch (cause) {
      if (left === 0) throw new Error('Cannot start the API server', { cause });
      await sleep(TRY_MS, undefined, { signal: bench.signal });
    }
  }
  return { url, deliver: (on) => ask(on ? '/bench/on' : '/bench/off') };
}
