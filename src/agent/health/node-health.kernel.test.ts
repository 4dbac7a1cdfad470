/**
 * The real program as a cache that beats, real packets through the kernel's programs, and the agent's watch over both. A
 * client asks the frontend; who answered is told by the address in the answer. Needs root.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Datapath, DatapathSpec } from '../../datapath/datapath.ts';
import { openDatapath } from '../../datapath/open-datapath.ts';
import { redirectedFrontend, toIp } from '../../datapath/testing/conformance.ts';
import { silentLog, TestNetwork, type TestPod } from '../../datapath/testing/test-network.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { NodeHealth } from './node-health.ts';
import type { PumpResult } from './testing/query-pump.ts';

const MAIN = join(import.meta.dirname, '../../cli/main.ts');
const PUMP = join(import.meta.dirname, 'testing/query-pump.ts');
const VIP = '10.96.0.10';
const LOCAL = '192.0.2.20';
const FALLBACK = '192.0.2.30';
const PATIENTLY = { timeout: 30_000, interval: 20 };

let network: TestNetwork;
let pods: { readonly client: TestPod; readonly cache: TestPod; readonly fallback: TestPod };
let bpf: string;
let scratch: string;
let datapath: Datapath;
let health: NodeHealth;
const children = new Set<ChildProcess>();

function openBoth({ probe = false } = {}): void {
  datapath = openDatapath({ pinDirectory: bpf, log: silentLog, clock: systemClock });
  health = new NodeHealth({
    ...{ datapath, clock: systemClock, log: silentLog, random: Math.random, probe },
    heartbeatSocket: join(scratch, 'beat', 'beat.sock'),
  });
}

function closeBoth(): void {
  health.close();
  datapath.close();
}

const redirect = (): Promise<void> => {
  const spec: DatapathSpec = {
    frontends: (['UDP', 'TCP'] as const).map((protocol) =>
      redirectedFrontend(VIP, protocol, [pods.cache.address]),
    ),
    pods: Object.values(pods).map((pod) => ({ pod: `default/${pod.name}`, addresses: [toIp(pod.address)] })),
    mayPrune: true,
  };
  return datapath.apply(spec);
};

async function serve(
  pod: TestPod,
  answer: string,
  { heartbeat = join(scratch, 'beat', 'beat.sock'), more = ['-admin-socket', ''] } = {},
) {
  const conf = join(scratch, `Corefile.${pod.name}`);
  const lines = ['cache 300', `template IN A {\n answer "{{ .Name }} 300 IN A ${answer}"\n}`];
  writeFileSync(conf, `.:53 {\n bind ${pod.address}\n ${lines.join('\n ')}\n}\n`);
  const run = `ZEROHOP_RUN_DIR=${join(scratch, 'run')}`;
  const flags = ['-conf', conf, '-heartbeat', heartbeat, ...more];
  const child = network.spawn(pod.netns, 'env', run, process.execPath, MAIN, 'dns', ...flags);
  children.add(child);
  await new Promise<void>((resolve, reject) => {
    // What it says after its sockets are open: its version.
    child.stdout?.on('data', (chunk: Buffer) => chunk.includes('linux/') && resolve());
    child.once('exit', (code) => reject(new Error(`The cache of ${pod.name} ended with ${code}`)));
  });
  return child;
}

async function end(child: ChildProcess): Promise<number | null> {
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  children.delete(child);
  return ended;
}

const answer = (...words: string[]) =>
  network.dig(pods.client, `@${VIP}`, '+time=5', ...words, 'www.example.org');
const rowOfCache = () => datapath.health().find(({ address }) => address === pods.cache.address);
const seated = () => expect.poll(() => rowOfCache()?.seat, PATIENTLY).toBeDefined();

async function startPump() {
  const { stdout, stdin } = network.spawn(pods.client.netns, process.execPath, PUMP, VIP);
  if (stdout === null || stdin === null) throw new Error('No pipes');
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe('ready');
  return { lines, stdin };
}

async function expectNothingLost({ lines, stdin }: Awaited<ReturnType<typeof startPump>>): Promise<void> {
  stdin.end();
  const result = JSON.parse((await lines.next()).value ?? '{}') as PumpResult;
  expect(result.tcpFailed).toEqual([]);
  expect(result.udpAnswered).toBe(result.udpSent);
}

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'zerohop-health-'));
  network = new TestNetwork('health');
  pods = {
    client: network.addPod('client', '172.20.0.10'),
    cache: network.addPod('cache', '172.20.0.20'),
    fallback: network.addPod('fallback', '172.20.0.30'),
  };
  network.translate(VIP, pods.fallback.address);
  await serve(pods.fallback, FALLBACK, { heartbeat: 'off' });
  children.clear();
  bpf = join(network.mountBpffs(), 'node');
  network.enterNode();
});
afterAll(async () => {
  await network.close();
  rmSync(scratch, { recursive: true });
});

beforeEach(async () => {
  openBoth();
  await redirect();
});
afterEach(async () => {
  for (const child of children) await network.kill(child);
  children.clear();
  closeBoth();
  openDatapath({ pinDirectory: bpf, log: silentLog, clock: systemClock }).remove();
});

/** A cache that got no processor for longer than its heartbeat's deadline is left for as long. */
const expectLocal = (...flags: readonly string[]) =>
  expect.poll(() => answer(...flags), PATIENTLY).toBe(LOCAL);

describe('a cache that beats', () => {
  it('is left while it stands still, and asked again when it goes on', async () => {
    const cache = await serve(pods.cache, LOCAL);
    await seated();
    await expectLocal();
    cache.kill('SIGSTOP');
    await expect.poll(() => answer(), PATIENTLY).toBe(FALLBACK);
    expect(answer('+tcp')).toBe(FALLBACK);
    expect(datapath.counters().fellBack['no-heartbeat']).toBeGreaterThan(0n);
    cache.kill('SIGCONT');
    await expect.poll(() => answer(), PATIENTLY).toBe(LOCAL);
    await expectLocal('+tcp');
  });

  it('keeps its seat over the death of the agent, and nothing changes meanwhile', async () => {
    await serve(pods.cache, LOCAL);
    await seated();
    const row = rowOfCache();
    const caches = health.report().caches;
    closeBoth();
    await expectLocal();
    openBoth();
    expect(rowOfCache()).toEqual(row);
    await expectLocal();
    await expect
      .poll(() => health.report().caches, PATIENTLY)
      .toMatchObject([{ seat: row?.seat, state: 'beating' }]);
    expect(caches).toMatchObject([{ seat: row?.seat, addresses: [pods.cache.address], ports: [53] }]);
    expect(rowOfCache()).toEqual(row);
    await redirect();
    await expectLocal();
  });

  it('has no seat any more once it was killed, and the next one gets its own', async () => {
    const cache = await serve(pods.cache, LOCAL);
    await seated();
    await network.kill(cache);
    await expect.poll(() => rowOfCache(), PATIENTLY).toEqual({ address: pods.cache.address, port: 53 });
    expect(answer()).toBe(FALLBACK);
    await serve(pods.cache, LOCAL);
    await seated();
    await expectLocal();
  });

  it('leaves nothing behind when its pod is no backend any more and then ends', async () => {
    const cache = await serve(pods.cache, LOCAL);
    await seated();
    await datapath.apply({ frontends: [], pods: [], mayPrune: true });
    expect(rowOfCache()?.seat).toBeDefined();
    expect(await end(cache)).toBe(0);
    await expect.poll(() => datapath.health(), PATIENTLY).toEqual([]);
  });

  it('is asked nothing more from before it ends, and nothing that it was asked is lost', async () => {
    let cache = await serve(pods.cache, LOCAL);
    await seated();
    const pump = await startPump();
    for (let round = 0; round < 3; round++) {
      const before = datapath.counters().redirected;
      await expect.poll(() => datapath.counters().redirected - before > 1000n, PATIENTLY).toBe(true);
      expect(await end(cache)).toBe(0);
      cache = await serve(pods.cache, LOCAL);
      await seated();
    }
    await expectNothingLost(pump);
    expect(datapath.counters().fellBack['probe-failed']).toBeGreaterThan(0n);
  });

  it('hands its place to the one that takes over, and nothing is lost', async () => {
    const old = await serve(pods.cache, LOCAL, { more: [] });
    await seated();
    const before = rowOfCache()?.seat;
    const pump = await startPump();
    const ended = new Promise((resolve) => old.once('exit', resolve));
    await serve(pods.cache, LOCAL, { more: ['-takeover', 'auto'] });
    await ended;
    children.delete(old);
    await expect.poll(() => rowOfCache()?.seat, PATIENTLY).not.toBe(before);
    const redirected = datapath.counters().redirected;
    await expect.poll(() => datapath.counters().redirected - redirected > 1000n, PATIENTLY).toBe(true);
    await expect.poll(() => health.report().caches, PATIENTLY).toHaveLength(1);
    const [cache] = health.report().caches;
    await expect.poll(rowOfCache, PATIENTLY).toMatchObject({ seat: cache?.seat });
    expect(rowOfCache()?.down).toBeUndefined();
    await expectNothingLost(pump);
  });

  it('can find an agent that starts after it', async () => {
    closeBoth();
    rmSync(join(scratch, 'beat'), { recursive: true });
    await serve(pods.cache, LOCAL);
    expect(existsSync(join(scratch, 'beat'))).toBe(false);
    openBoth();
    await seated();
    await expect.poll(() => answer(), PATIENTLY).toBe(LOCAL);
  });
});

describe('a cache that does not beat', () => {
  beforeEach(async () => {
    closeBoth();
    openBoth({ probe: true });
    await redirect();
  });

  it('is left when it does not answer probes, and asked again when it does', async () => {
    const cache = await serve(pods.cache, LOCAL, { heartbeat: 'off' });
    await expect.poll(() => health.report().probes[0]?.udp?.answered ?? 0, PATIENTLY).toBeGreaterThan(2);
    await expect.poll(() => rowOfCache()?.down, PATIENTLY).toBeUndefined();
    await expectLocal();
    cache.kill('SIGSTOP');
    await expect.poll(() => rowOfCache()?.down, PATIENTLY).toBe('no answer to a query over UDP');
    expect(answer()).toBe(FALLBACK);
    // An agent that comes new to it does not take it for well.
    closeBoth();
    openBoth({ probe: true });
    await redirect();
    expect(rowOfCache()?.down).toBeDefined();
    cache.kill('SIGCONT');
    await expect.poll(() => rowOfCache()?.down, PATIENTLY).toBeUndefined();
    await expectLocal();
  });
});
