/** What a node says of itself, from packets as the kernel tells them. */
import { describe, expect, it } from 'vitest';
import { AppError } from '../fault/app-error.ts';
import type { GetFlowsRequest } from '../flow/api.ts';
import { packet, peer } from '../flow/testing/sample-packet.ts';
import { TestNode } from '../flow/testing/test-node.ts';
import { Turns } from '../flow/turns.ts';
import { VirtualClock } from '../telemetry/virtual-clock.ts';
import { createNodeObserver } from './node-observer.ts';

const SEEN_AT_MS = 1_772_532_000_000;

/** Turned to when the packets of `TestNode` were seen. */
class NodeClock extends VirtualClock {
  override nowMs(): number {
    return SEEN_AT_MS + this.monotonicMs();
  }
}

function observe(capacity?: number) {
  const node = new TestNode('worker-1', capacity === undefined ? {} : { capacity });
  const clock = new NodeClock();
  const { packets, recorder } = node;
  const observer = createNodeObserver({
    ...{ nodeName: 'worker-1', version: '1.2.3', turns: new Turns(), clock },
    recorded: { packets, flows: recorder.flows },
  });
  return { node, clock, observer };
}

async function all(rows: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of rows) count++;
  return count;
}

describe('createNodeObserver', () => {
  it('gives flows by request and refuses what cannot be read', async () => {
    const { node, observer } = observe();
    node.see(packet());
    const ask = (request: GetFlowsRequest) => all(observer.flows(request, new AbortController().signal));
    expect(await ask({})).toBe(node.packets.flowsHeld);
    expect(await ask({ number: 1 })).toBe(1);
    await expect(ask({ first: true, follow: true })).rejects.toBeInstanceOf(AppError);
    observer.close();
  });

  it('counts what is here, what there was, and how fast it came', async () => {
    const { node, clock, observer } = observe(7);
    const flowsOfOne = node.see(packet()).length;
    for (let i = 0; i < 9; i++) node.see(packet());
    clock.pass(20_000);
    const status = await observer.status();
    expect(status).toMatchObject({
      maxFlows: 7,
      seenFlows: 10 * flowsOfOne,
      version: '1.2.3',
      uptimeNs: 20_000_000_000n,
    });
    expect(status.numFlows).toBeLessThanOrEqual(7);
    expect(status.flowsRate).toBeCloseTo((10 * flowsOfOne) / 20);
    clock.pass(120_000);
    expect((await observer.status()).flowsRate).toBe(0);
    observer.close();
  });

  it('names itself as the only node', async () => {
    const { observer } = observe();
    expect(await observer.nodes()).toMatchObject([
      { name: 'worker-1', state: 'NODE_CONNECTED', seenFlows: 0 },
    ]);
    observer.close();
  });

  it('names the namespaces of the last hour, however long their packets stay', async () => {
    const { node, clock, observer } = observe(3);
    expect(await observer.namespaces()).toEqual([]);
    node.see(packet());
    const named = await observer.namespaces();
    expect(named).toContainEqual({ cluster: 'default', namespace: 'default' });
    // The log is full of what no pod sent: the packet above is gone.
    const world = { source: peer('203.0.113.1', 999), destination: peer('203.0.113.2', 53) };
    for (let i = 0; i < 20; i++) node.see(packet(world));
    expect(await observer.namespaces()).toEqual(named);
    clock.pass(3_600_010);
    expect(await observer.namespaces()).toEqual([]);
    observer.close();
  });
});
