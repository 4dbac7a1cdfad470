/** Kernel answers as the agent tells of them: by its socket, and by its metrics. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type FakeDatapath, openFakeDatapath } from '../../datapath/fake-datapath.ts';
import { parseListenAddress } from '../../net/listen-address.ts';
import { freePort } from '../../net/testing/free-ports.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { parseExposition } from '../../telemetry/testing/parse-exposition.ts';
import { type AgentClient, createAgentClient } from '../client.ts';
import { NodeBench, WITH_POLICY } from '../testing/node-bench.ts';

const PERMITTED = {
  ...WITH_POLICY,
  synced: new Set([...WITH_POLICY.synced, 'namespaces' as const, 'networkPolicies' as const]),
};

let bench: NodeBench;
let datapath: FakeDatapath;
let client: AgentClient;
let port: number;

beforeEach(async () => {
  bench = new NodeBench();
  bench.kernel.counters = { ...bench.kernel.counters, answered: 5n, answersMissed: 3n, answersTorn: 1n };
  client = createAgentClient(bench.socketPath);
  port = await freePort();
});
afterEach(async () => {
  await bench.end();
  datapath.close();
});

async function start(kernelAnswers: number | undefined): Promise<void> {
  datapath = openFakeDatapath({
    ...{ kernel: bench.kernel, clock: systemClock },
    ...(kernelAnswers !== undefined && { answerEntries: kernelAnswers }),
  });
  const metricsAddress = parseListenAddress(`127.0.0.1:${port}`);
  await bench.start(
    {},
    {
      datapath,
      health: { probe: false, heartbeatSocket: join(bench.directory, 'cache', 'beat.sock') },
      ...(metricsAddress && { metricsAddress }),
      ...(kernelAnswers !== undefined && { kernelAnswers }),
    },
  );
}

async function metrics(): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
}

it('tells how many queries the kernel answered, and which pods do without', async () => {
  await start(1000);
  bench.snapshot.set({ ...PERMITTED, generation: 2 });
  await expect.poll(() => datapath.frontends().length).toBe(2);
  const { answers, counters } = await client.status();
  expect(counters).toMatchObject({ answered: '5', answersMissed: '3', answersTorn: '1' });
  expect(answers).toMatchObject({ on: true, entries: 1000, shelves: [] });
  const { answered, of, refused } = answers?.pods ?? { answered: 0, of: 0, refused: [] };
  expect([of, answered + refused.length]).toEqual([3, 3]);
  expect(refused.every(({ reason }) => reason !== '')).toBe(true);
  expect(await client.answers()).toEqual({ node: 'k8s-w1', entries: [], left: 0 });
});

it('counts in its metrics', async () => {
  await start(1000);
  datapath.openShelf();
  const text = await metrics();
  for (const line of [
    'zerohop_answered_packets_total 5',
    'zerohop_missed_answers_total 3',
    'zerohop_torn_answers_total 1',
    'zerohop_shelf_entries{shelf="1",size="small"} 0',
    'zerohop_shelf_capacity{shelf="1",size="small"} 1000',
    'zerohop_shelf_capacity{shelf="1",size="large"} 125',
  ])
    expect(text).toContain(`${line}\n`);
  expect(parseExposition(text).get('zerohop_answered_packets_total')?.help).not.toBe('');
});

it('says that it has none when it is to have none, and counts what the kernel has ever answered, of no shelf', async () => {
  await start(undefined);
  const { answers } = await client.status();
  expect(answers).toMatchObject({ on: false, shelves: [], pods: { answered: 0, refused: [] } });
  const text = await metrics();
  expect(text).toContain('\nzerohop_answered_packets_total 5\n');
  expect(text).not.toMatch(/^zerohop_shelf/m);
});
