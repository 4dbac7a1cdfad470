/** `zerohop status` as a readiness probe runs it, against agents on the fake kernel. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Agent, startNode } from '../../src/agent/agent.ts';
import type { ClusterSnapshot, KindName } from '../../src/cluster/snapshot.ts';
import { createFakeKernel, openFakeDatapath } from '../../src/datapath/fake-datapath.ts';
import { SAMPLE_CLUSTER } from '../../src/flow/testing/sample-cluster.ts';
import { createStore } from '../../src/store/store.ts';
import { systemClock } from '../../src/telemetry/clock.ts';

const MAIN = new URL('../../src/cli/boot/zerohop.mjs', import.meta.url).pathname;
const home = mkdtempSync(join(tmpdir(), 'zerohop-status-'));
const log = {
  debug: () => undefined,
  info: () => undefined,
  warning: () => undefined,
  error: () => undefined,
  fatal: (text: string): never => {
    throw new Error(text);
  },
};

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const ALL: readonly KindName[] = [
  'services',
  'endpointSlices',
  'pods',
  'nodes',
  'namespaces',
  'localRedirectPolicies',
];

interface Given {
  readonly synced: readonly KindName[];
  readonly missing?: readonly KindName[];
  readonly failing?: readonly KindName[];
}

let count = 0;

/** The socket of an agent that knows this much. */
async function agentThatKnows({ synced, missing = [], failing = [] }: Given): Promise<string> {
  const datapath = openFakeDatapath({ kernel: createFakeKernel(), clock: systemClock });
  const snapshot = createStore<ClusterSnapshot>({ ...SAMPLE_CLUSTER, synced: new Set(synced) });
  const socketPath = join(home, `${count++}.sock`);
  const agent: Agent = await startNode({
    ...{ nodeName: 'k8s-w1', snapshot, missing: createStore(new Set(missing)), datapath },
    ...{ socketPath, log, clock: systemClock, failing: () => failing },
  });
  closing.push(
    () => agent.close(),
    () => datapath.close(),
  );
  return socketPath;
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function status(...args: readonly string[]): Promise<Ended> {
  try {
    const run = promisify(execFile)(process.execPath, [MAIN, 'status', ...args], { timeout: 60_000 });
    return { code: 0, ...(await run) };
  } catch (error) {
    return error as Ended;
  }
}

describe('zerohop status', { timeout: 120_000 }, () => {
  it('ends with 0 when everything is listed, and says how it is', async () => {
    const { code, stdout } = await status('--server', await agentThatKnows({ synced: ALL }));
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('k8s-w1') });
    expect(stdout).toMatch(/^Ready +yes$/m);
    expect(stdout).toMatch(/^Packets +redirected 0, restored 0, fell back 0$/m);
  });

  it('stays ready when a kind cannot be followed any more, and names it', async () => {
    const socket = await agentThatKnows({ synced: ALL, failing: ['pods', 'services'] });
    const { code, stdout } = await status('--server', socket);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Stale +pods, services: .*stay in force$/m);
  });

  it('ends with 1 while a kind is not listed, and names it', async () => {
    const synced = ALL.filter((kind) => kind !== 'services');
    const { code, stdout } = await status('--server', await agentThatKnows({ synced }));
    expect(code).toBe(1);
    expect(stdout).toMatch(/^Ready +no: .*services$/m);
  });

  it('ends with 0 for a liveness probe as soon as the agent answers', async () => {
    const socket = await agentThatKnows({ synced: [] });
    expect(await status('--server', socket, '--alive')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Ready +no/m),
    });
    expect(await status('--server', join(home, 'nobody.sock'), '--alive')).toMatchObject({ code: 1 });
  });

  it('does not wait for a kind that the cluster has no definition of', async () => {
    const synced = ALL.filter((kind) => kind !== 'localRedirectPolicies');
    const socket = await agentThatKnows({ synced, missing: ['localRedirectPolicies'] });
    const { code, stdout } = await status('--server', socket);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Missing +localRedirectPolicies/m);
  });

  it.each([
    { layout: 'json', read: (text: string): unknown => JSON.parse(text) },
    { layout: 'yaml', read: (text: string): unknown => parse(text) },
  ])('gives all of it as $layout, with the same exit code', async ({ layout, read }) => {
    const socket = await agentThatKnows({ synced: ['pods'] });
    const { code, stdout } = await status('--server', socket, '-o', layout);
    expect(code).toBe(1);
    expect(read(stdout)).toMatchObject({ ready: false, node: 'k8s-w1', synced: ['pods'] });
  });

  it('ends with 1 and no output where there is no agent', async () => {
    const { code, stdout, stderr } = await status('--server', join(home, 'nobody.sock'));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('no agent answers');
  });

  it('refuses a layout it does not have', async () => {
    const { code, stderr } = await status('--server', await agentThatKnows({ synced: ALL }), '-o', 'xml');
    expect(code).toBe(1);
    expect(stderr).toContain('"xml"');
  });
});
