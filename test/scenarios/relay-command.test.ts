/** `zerohop relay` as an operator starts it, between nodes on fake sources and a client. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sampleFlow } from '../../src/flow/testing/sample-flow.ts';
import { openHubble } from '../../src/hubble/client.ts';
import type { PeerChange } from '../../src/hubble/observer-source.ts';
import { type HubbleServer, startHubbleServer } from '../../src/hubble/server.ts';
import { FakeSource } from '../../src/hubble/testing/fake-source.ts';
import { systemClock } from '../../src/telemetry/clock.ts';

const MAIN = new URL('../../src/cli/boot/zerohop.mjs', import.meta.url).pathname;
const log = { info: () => undefined, error: () => undefined };

let home = '';
const closers: (() => unknown)[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'zerohop-relay-'));
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(home, { recursive: true });
});

interface TestNode {
  readonly name: string;
  readonly source: FakeSource;
  readonly server: HubbleServer;
  readonly change: PeerChange;
}

/** A node that has seen a flow at each of the seconds after ten o'clock. */
async function startNode(
  name: string,
  seconds: readonly number[],
  peers?: () => readonly TestNode[],
): Promise<TestNode> {
  const source = new FakeSource();
  for (const second of seconds) see(source, name, second);
  const unix = join(home, `${name}.sock`);
  const notify = async function* (signal: AbortSignal): AsyncGenerator<PeerChange, void, void> {
    for (const { change } of peers?.() ?? []) yield change;
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  };
  const server = await startHubbleServer({
    source,
    peers: notify,
    listen: [{ unix }],
    clock: systemClock,
    log,
  });
  closers.push(() => server.close());
  return { name, source, server, change: { name, address: `unix://${unix}`, type: 'PEER_ADDED' } };
}

function see(source: FakeSource, node: string, second: number): void {
  const time = new Date(Date.UTC(2026, 2, 3, 10, 0, second)).toISOString();
  source.push({
    flow: sampleFlow({ time, node_name: node, Summary: `${node} ${second}` }),
    node_name: node,
    time,
  });
}

interface Running {
  readonly target: string;
  readonly process: ChildProcess;
  readonly lines: string[];
  readonly ended: Promise<number | null>;
}

async function startRelay(...args: readonly string[]): Promise<Running> {
  const unix = join(home, 'relay.sock');
  const child = spawn(process.execPath, [MAIN, 'relay', '--listen-address', `unix://${unix}`, ...args]);
  const lines: string[] = [];
  const take = (chunk: Buffer) => lines.push(...chunk.toString().split('\n').filter(Boolean));
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  closers.push(() => {
    child.kill('SIGKILL');
    return ended;
  });
  await expect.poll(() => lines.join('\n'), { timeout: 20_000 }).toMatch(/relay serves at|zerohop: /);
  return { target: `unix://${unix}`, process: child, lines, ended };
}

describe('zerohop relay', { timeout: 60_000 }, () => {
  it('merges the nodes that an agent names, sums them up, and ends when it is told to', async () => {
    const nodes: TestNode[] = [];
    nodes.push(await startNode('a', [1, 3, 5], () => nodes));
    nodes.push(await startNode('b', [2, 4]));
    const relay = await startRelay('--peer-service', `unix://${join(home, 'a.sock')}`);
    const client = openHubble(relay.target);
    closers.push(() => client.close());
    await expect.poll(async () => (await client.status()).connectedNodes).toBe(2);
    const seen: string[] = [];
    for await (const { flow } of client.flows({}, new AbortController().signal))
      if (flow !== undefined) seen.push(flow.Summary);
    expect(seen).toEqual(['a 1', 'b 2', 'a 3', 'b 4', 'a 5']);
    expect(await client.nodes()).toMatchObject([
      { name: 'a', state: 'NODE_CONNECTED' },
      { name: 'b', state: 'NODE_CONNECTED' },
    ]);
    expect(await client.health()).toBe('SERVING');
    relay.process.kill('SIGTERM');
    expect(await relay.ended).toBe(0);
  });
});
