import { spawn } from 'node:child_process';
import { expect, it, vi } from 'vitest';
import { until } from './testing/scripted-server.ts';

// Real sockets on a busy machine: the waits inside are bounded by looks, not by this.
vi.setConfig({ testTimeout: 30_000 });

const PROGRAM = `
import { systemClock } from ${JSON.stringify(new URL('../telemetry/clock.ts', import.meta.url).href)};
import { createKubeClient } from ${JSON.stringify(new URL('./client.ts', import.meta.url).href)};
import { startClusterWatch } from ${JSON.stringify(new URL('./cluster-watch.ts', import.meta.url).href)};
const say = (text) => console.log(text);
const log = { debug: say, info: say, warning: say, error: say };
// The log tells of an outage once; each attempt ends in a pause.
const clock = { ...systemClock, after: (ms, run) => (say('pause'), systemClock.after(ms, run)) };
const client = createKubeClient({ server: 'http://127.0.0.1:1' });
const watch = startClusterWatch({ client, kinds: ['pods'], log, clock, random: () => 0 });
process.stdin.once('data', () => { watch.close(); client.close(); process.stdin.destroy(); });
process.stdin.unref();
await watch.synced().catch((error) => console.log(error.code));
`;

it('startClusterWatch keeps a process waiting for a server that is away, and lets it go when closed', async () => {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', PROGRAM]);
  const exit = { code: undefined as number | null | undefined };
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += String(chunk);
  });
  child.on('exit', (code) => {
    exit.code = code;
  });
  await until('three attempts', () => (output.match(/pause/g) ?? []).length >= 3 || exit.code !== undefined);
  expect(exit.code).toBeUndefined();
  child.stdin.write('close\n');
  await until('the end of the process', () => exit.code !== undefined);
  expect(output).toContain('KUBE_WATCH_CLOSED');
  expect(output.match(/Cannot GET/g)).toHaveLength(1);
  expect(exit.code).toBe(0);
});
