/**
 * The real cache, the kernel's programs and the agent between them: what the kernel answers is what the cache has, for
 * as long as it has it, and for nobody else. A client asks the frontend; the programs' counters tell who answered. Needs root.
 */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Datapath, DatapathSpec } from '../../datapath/datapath.ts';
import { openDatapath } from '../../datapath/open-datapath.ts';
import { redirectedFrontend, toIp } from '../../datapath/testing/conformance.ts';
import { silentLog, TestNetwork, type TestPod } from '../../datapath/testing/test-network.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { NodeHealth } from '../health/node-health.ts';

const MAIN = join(import.meta.dirname, '../../cli/main.ts');
const VIP = '10.96.0.10';
const FALLBACK = '192.0.2.30';
const NAME = 'www.example.org';
const PATIENTLY = { timeout: 30_000, interval: 20 };

let network: TestNetwork;
let pods: Readonly<Record<'client' | 'barred' | 'cache' | 'fallback', TestPod>>;
let bpf: string;
let scratch: string;
let datapath: Datapath;
let health: NodeHealth;
let cache: ChildProcess;
let said: string;

function openBoth(): void {
  datapath = openDatapath({
    ...{ pinDirectory: bpf, log: silentLog, clock: systemClock, answerEntries: 1000 },
    // A cache that gets no processor for a while is not to be left: who answers is what is looked at here.
    beatDeadlineMs: 60_000,
  });
  health = new NodeHealth({
    ...{ datapath, clock: systemClock, log: silentLog, random: Math.random, probe: false },
    heartbeatSocket: join(scratch, 'beat', 'beat.sock'),
  });
}

function closeBoth(): void {
  health.close();
  datapath.close();
}

function spec({ redirected = true, barred = [pods.barred] } = {}): DatapathSpec {
  const frontends = (['UDP', 'TCP'] as const).map((protocol) =>
    redirectedFrontend(VIP, protocol, [pods.cache.address]),
  );
  return {
    frontends: redirected ? frontends : [],
    pods: Object.values(pods).map((pod) => ({
      ...{ pod: `default/${pod.name}`, addresses: [toIp(pod.address)] },
      answers: !barred.includes(pod),
    })),
    mayPrune: true,
  };
}

const HOSTS = () => join(scratch, 'hosts');
const COREFILE = () => join(scratch, 'Corefile');

/** All names that are asked for here have this address, from the next look at the file on. */
function setAddress(address: string): void {
  const names = [NAME, ...Array.from({ length: 20 }, (_, i) => `n${i}.example.org`)];
  writeFileSync(HOSTS(), names.map((name) => `${address} ${name}\n`).join(''));
}

function writeCorefile(more: readonly string[] = [], ttl = 300): void {
  const hosts = `hosts ${HOSTS()} {\n ttl ${ttl}\n reload 100ms\n fallthrough\n }`;
  const lines = [`bind ${pods.cache.address}`, 'cache 300', hosts, ...more];
  writeFileSync(COREFILE(), `.:53 {\n ${lines.join('\n ')}\n}\n`);
}

async function serve(): Promise<ChildProcess> {
  const run = `ZEROHOP_RUN_DIR=${join(scratch, 'run')}`;
  const flags = ['-conf', COREFILE(), '-heartbeat', join(scratch, 'beat', 'beat.sock')];
  const child = network.spawn(pods.cache.netns, 'env', run, process.execPath, MAIN, 'dns', ...flags);
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (chunk.includes('linux/')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`The cache ended with ${code}`)));
  });
  return child;
}

const ask = (pod: TestPod, ...words: readonly string[]) => network.dig(pod, `@${VIP}`, '+time=5', ...words);

/** What the client gets, and whether the kernel gave it: everybody else is silent meanwhile. */
function asked(pod: TestPod, ...words: readonly string[]): { answer: string; byKernel: boolean } {
  const before = datapath.counters().answered;
  const answer = ask(pod, ...words);
  return { answer, byKernel: datapath.counters().answered === before + 1n };
}

const untilKernelAnswers = (name = NAME) =>
  expect.poll(() => asked(pods.client, name).byKernel, PATIENTLY).toBe(true);

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'zerohop-answers-'));
  network = new TestNetwork('answers');
  pods = {
    client: network.addPod('client', '172.20.0.10'),
    barred: network.addPod('barred', '172.20.0.11'),
    cache: network.addPod('cache', '172.20.0.20'),
    fallback: network.addPod('fallback', '172.20.0.30'),
  };
  network.translate(VIP, pods.fallback.address);
  await network.serve(pods.fallback.netns, pods.fallback.address, FALLBACK);
  bpf = join(network.mountBpffs(), 'node');
  network.enterNode();
});
afterAll(async () => {
  await network.close();
  rmSync(scratch, { recursive: true });
});

beforeEach(async () => {
  said = '';
  setAddress('192.0.2.1');
  writeCorefile();
  openBoth();
  await datapath.apply(spec());
  cache = await serve();
  await untilKernelAnswers();
});
afterEach(async () => {
  await network.kill(cache);
  closeBoth();
  openDatapath({ pinDirectory: bpf, log: silentLog, clock: systemClock }).remove();
});

describe('a name that the cache has answered', () => {
  it('is answered by the kernel to who may, from the second time on, and the same', async () => {
    expect(asked(pods.client, 'n0.example.org')).toEqual({ answer: '192.0.2.1', byKernel: false });
    expect(asked(pods.client, 'N0.eXample.org')).toEqual({ answer: '192.0.2.1', byKernel: true });
    expect(asked(pods.barred, 'n0.example.org')).toEqual({ answer: '192.0.2.1', byKernel: false });
    expect(asked(pods.client, '+tcp', 'n0.example.org')).toEqual({ answer: '192.0.2.1', byKernel: false });
    expect(asked(pods.client, '-t', 'MX', 'n0.example.org').byKernel).toBe(false);
    expect(asked(pods.client, '+cdflag', 'n0.example.org').byKernel).toBe(false);
  });

  it('is none of the cache itself: it would ask itself for ever', () => {
    expect(asked(pods.cache, NAME).byKernel).toBe(false);
    expect(datapath.interfaces().filter(({ answers }) => answers)).toMatchObject([
      { pod: 'default/client' },
      { pod: 'default/fallback' },
    ]);
  });

  it('is forgotten by pods that may not any more, with the next packet', async () => {
    await datapath.apply(spec({ barred: [pods.barred, pods.client] }));
    expect(asked(pods.client, NAME)).toEqual({ answer: '192.0.2.1', byKernel: false });
    await datapath.apply(spec());
    expect(asked(pods.client, NAME).byKernel).toBe(true);
  });

  it('goes the way of all packets once the policy is gone', async () => {
    await datapath.apply(spec({ redirected: false }));
    expect(asked(pods.client, NAME)).toEqual({ answer: FALLBACK, byKernel: false });
    await datapath.apply(spec());
    await untilKernelAnswers();
  });
});

describe('a change', () => {
  it('of records is in the kernel when it is in the cache', async () => {
    for (const address of ['192.0.2.2', '192.0.2.3', '192.0.2.4']) {
      setAddress(address);
      // The other pod sees what the process says; from that moment on the kernel may say nothing else.
      await expect.poll(() => ask(pods.barred, NAME), PATIENTLY).toBe(address);
      expect(asked(pods.client, NAME).answer).toBe(address);
      await untilKernelAnswers();
      expect(asked(pods.client, NAME)).toEqual({ answer: address, byKernel: true });
    }
  });

  it('of the configuration is in the kernel when it is in force', async () => {
    writeCorefile(['template IN A n1.example.org {\n answer "n1.example.org 60 IN A 192.0.2.77"\n }']);
    await untilKernelAnswers('n1.example.org');
    writeFileSync(
      COREFILE(),
      `.:53 {\n bind ${pods.cache.address}\n cache 300\n template IN A {\n` +
        ` answer "{{ .Name }} 60 IN A 192.0.2.99"\n }\n}\n`,
    );
    cache.kill('SIGUSR1');
    await expect.poll(() => said, PATIENTLY).toContain('Reloading complete');
    for (const name of [NAME, 'n1.example.org']) expect(ask(pods.client, name)).toBe('192.0.2.99');
    await untilKernelAnswers();
    expect(asked(pods.client, NAME)).toEqual({ answer: '192.0.2.99', byKernel: true });
  });

  it('by the administrator: what is flushed is asked again', () => {
    expect(asked(pods.client, NAME).byKernel).toBe(true);
    const env = { ...process.env, ZEROHOP_RUN_DIR: join(scratch, 'run') };
    const flushed = spawnSync(process.execPath, [MAIN, 'cache', 'flush', NAME], { encoding: 'utf8', env });
    expect(flushed.status, flushed.stderr).toBe(0);
    expect(asked(pods.client, NAME).byKernel).toBe(false);
    expect(asked(pods.client, NAME).byKernel).toBe(true);
  });
});

describe('without the process', () => {
  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'names go on being answered after %s until they expire, all others by the cluster',
    async (signal) => {
      // Long enough for a busy machine to end a process and ask.
      writeCorefile([], 10);
      cache.kill('SIGUSR1');
      await expect.poll(() => said, PATIENTLY).toContain('Reloading complete');
      await untilKernelAnswers('n2.example.org');
      const storedMs = performance.now();
      await end(cache, signal);
      expect(asked(pods.client, 'n2.example.org')).toEqual({ answer: '192.0.2.1', byKernel: true });
      expect(asked(pods.client, 'n3.example.org')).toEqual({ answer: FALLBACK, byKernel: false });
      // By then it has expired, however long before it was stored.
      await sleep(Math.max(0, 10_000 - (performance.now() - storedMs)));
      expect(asked(pods.client, 'n2.example.org')).toEqual({ answer: FALLBACK, byKernel: false });
      writeCorefile();
      cache = await serve();
      await untilKernelAnswers('n2.example.org');
    },
  );

  it('that watches, everything goes on; the next one knows what it finds', async () => {
    closeBoth();
    const before = ask(pods.client, NAME);
    expect(before).toBe('192.0.2.1');
    setAddress('192.0.2.5');
    await expect.poll(() => ask(pods.barred, NAME), PATIENTLY).toBe('192.0.2.5');
    expect(ask(pods.client, NAME)).toBe('192.0.2.5');
    openBoth();
    await datapath.apply(spec());
    expect(asked(pods.client, NAME)).toEqual({ answer: '192.0.2.5', byKernel: true });
    await expect.poll(() => health.report().caches, PATIENTLY).toMatchObject([{ state: 'beating' }]);
    expect(asked(pods.client, NAME)).toEqual({ answer: '192.0.2.5', byKernel: true });
    expect(datapath.shelves()).toHaveLength(1);
  });
});

describe('what the kernel answers', () => {
  it('is counted by the cache, and written to its log', async () => {
    writeCorefile(['prometheus 127.0.0.1:9153', 'log']);
    cache.kill('SIGUSR1');
    await expect.poll(() => said, PATIENTLY).toContain('Reloading complete');
    await untilKernelAnswers('n4.example.org');
    const before = await requests();
    for (let i = 0; i < 10; i++) {
      expect(asked(pods.client, 'n4.example.org').byKernel).toBe(true);
      expect(asked(pods.client, '+noedns', 'n4.example.org').byKernel).toBe(true);
    }
    await expect.poll(requests, PATIENTLY).toBe(before + 20);
    const logged = () => said.split('\n').filter((line) => /"A IN n4\.example\.org\. udp /.test(line));
    const ofLast =
      /^\[INFO\] 172\.20\.0\.10:\d+ - \d+ "A IN n4\.example\.org\. udp 32 false 512" NOERROR qr,aa,rd 62 [\d.e-]+s$/;
    // They come a few at a time, and those without EDNS by turns with the others.
    await expect.poll(() => logged().filter((line) => ofLast.test(line)).length, PATIENTLY).toBe(10);
    expect(logged().length).toBeGreaterThanOrEqual(21);
    expect(logged().at(-1)).toMatch(ofLast);
  });
});

/** Of the cache's own page, which its pod alone can see. */
async function requests(): Promise<number> {
  const script = "fetch('http://127.0.0.1:9153/metrics').then(r=>r.text()).then(t=>console.log(t))";
  const text = network.run(pods.cache.netns, process.execPath, '-e', script);
  const lines = text.split('\n').filter((line) => line.startsWith('coredns_dns_requests_total{'));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
