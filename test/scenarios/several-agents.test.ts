/** Several agents on one machine as `observe` asks them: agents on the fake kernel, each with its Hubble. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Agent, startNode } from '../../src/agent/agent.ts';
import { type FlowSource, openFlowSource } from '../../src/cli/observe/flow-source.ts';
import { createFakeKernel, type FakeDatapath, openFakeDatapath } from '../../src/datapath/fake-datapath.ts';
import type { GetFlowsRequest } from '../../src/flow/api.ts';
import { SAMPLE_CLUSTER } from '../../src/flow/testing/sample-cluster.ts';
import { packet } from '../../src/flow/testing/sample-packet.ts';
import { createStore } from '../../src/store/store.ts';
import { systemClock } from '../../src/telemetry/clock.ts';

const log = {
  ...{ debug: () => undefined, info: () => undefined, warning: () => undefined, error: () => undefined },
  fatal: (text: string): never => {
    throw new Error(text);
  },
};
const CHOICE = { timeoutMs: 20_000, answerMs: 20_000 };
const LONG = { timeout: 20_000 };

let home = '';
let discover: { readonly defaultSocket: string; readonly labDirectory: string };
const closers: (() => unknown)[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'zerohop-source-'));
  discover = { defaultSocket: join(home, 'none.sock'), labDirectory: join(home, 'agents') };
  mkdirSync(discover.labDirectory);
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(home, { recursive: true });
});

interface TestAgent {
  readonly datapath: FakeDatapath;
  readonly agent: Agent;
}

async function startAgent(nodeName: string, serves = true): Promise<TestAgent> {
  const datapath = openFakeDatapath({ kernel: createFakeKernel(), clock: systemClock });
  const agent = await startNode({
    ...{ nodeName, snapshot: createStore(SAMPLE_CLUSTER), missing: createStore(new Set<never>()), datapath },
    ...{ socketPath: join(discover.labDirectory, `${nodeName}.sock`), log, clock: systemClock },
    ...(serves ? { hubble: { socketPath: join(home, `${nodeName}.hubble`) } } : {}),
  });
  let isClosed = false;
  const close = async () => {
    if (isClosed) return;
    isClosed = true;
    await agent.close();
    datapath.close();
  };
  closers.push(close);
  return { datapath, agent: { ...agent, close } };
}

async function open(node?: string): Promise<FlowSource> {
  const source = await openFlowSource(CHOICE, node, discover);
  closers.push(() => source.close());
  return source;
}

/** The port is what tells the rows of a test apart. */
function see({ datapath }: TestAgent, port: number): void {
  const source = { ...packet().source, port: port as ReturnType<typeof packet>['source']['port'] };
  datapath.emit(packet({ source, timeNs: process.hrtime.bigint() }));
}

async function ports(source: FlowSource, request: GetFlowsRequest): Promise<readonly string[]> {
  const seen: string[] = [];
  for await (const { flow, node_status: told } of source.flows(request, new AbortController().signal)) {
    if (told !== undefined) seen.push(`${told.state_change} ${told.node_names.join()}`);
    else if (flow?.l7?.type === 'REQUEST') seen.push(`${flow.node_name} ${flow.l4.UDP?.source_port}`);
  }
  return seen;
}

describe('openFlowSource', { timeout: 60_000 }, () => {
  it('asks all agents of the machine as one, in the order of time, and N means N in all', async () => {
    const [a, b] = [await startAgent('k8s-w1'), await startAgent('k8s-w2')];
    see(a, 1001);
    see(b, 1002);
    see(a, 1003);
    const source = await open();
    const whitelist = [{ dns_query: ['google'] }];
    const all = ['k8s-w1 1001', 'k8s-w2 1002', 'k8s-w1 1003'];
    await expect.poll(() => ports(source, { whitelist }), LONG).toEqual(all);
    expect(await ports(source, { whitelist, number: 2 })).toEqual(all.slice(1));
    expect(await ports(source, { whitelist, number: 1, first: true })).toEqual(all.slice(0, 1));
    expect(await ports(await open('k8s-w2'), { whitelist })).toEqual(['k8s-w2 1002']);
  });

  it('goes on with the others when an agent ends', async () => {
    const [a, b] = [await startAgent('k8s-w1'), await startAgent('k8s-w2')];
    const source = await open();
    const abort = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const { flow, node_status: told } of source.flows({ follow: true }, abort.signal)) {
        if (told !== undefined) seen.push(`${told.state_change} ${told.node_names.join()}`);
        else if (flow?.l7?.type === 'REQUEST') seen.push(`${flow.node_name}`);
      }
    })();
    await expect
      .poll(() => {
        see(b, 1001);
        return seen.length > 0;
      }, LONG)
      .toBe(true);
    await b.agent.close();
    await expect.poll(() => seen.at(-1), LONG).toBe('NODE_UNAVAILABLE k8s-w2');
    see(a, 1002);
    await expect.poll(() => seen.at(-1), LONG).toBe('k8s-w1');
    abort.abort();
    await following;
  });

  it('asks one agent for what it did', async () => {
    await startAgent('k8s-w1');
    await startAgent('k8s-w2');
    expect((await open()).client).toBeUndefined();
    const { client } = await open('k8s-w2');
    const events: unknown[] = [];
    const signal = new AbortController().signal;
    for await (const event of client?.events('agent-events', { number: 1000 }, signal) ?? [])
      events.push(event);
    const time = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(events[0]).toEqual({
      agent_event: { type: 'AGENT_STARTED', agent_start: { time } },
      ...{ node_name: 'k8s-w2', time },
    });
  });

  it('says which agents serve no Hubble, and does without them while another does', async () => {
    await startAgent('k8s-w1', false);
    await expect(open()).rejects.toMatchObject({
      code: 'HUBBLE_UNSUPPORTED',
      message: 'Cannot observe: the agent serves no Hubble API: received from k8s-w1',
    });
    await startAgent('k8s-w2');
    expect((await open()).client?.target).toBe(`unix://${home}/k8s-w2.hubble`);
    await expect(open('k8s-w9')).rejects.toMatchObject({ code: 'AGENT_NODE_UNKNOWN' });
  });
});
