import { describe, expect, it } from 'vitest';
import { createManualClock } from '../../kube/testing/manual-clock.ts';
import { formatMicroTime } from './lease.ts';
import { LiveNodes } from './live-nodes.ts';
import type { NodeLease } from './policy-object.ts';

function lease(node: string, renewedMs: number): NodeLease {
  return {
    node,
    byUid: new Map(),
    digest: node,
    renewTime: formatMicroTime(renewedMs),
    durationSeconds: 120,
  };
}

describe('LiveNodes', () => {
  it('counts a node as long after a renewal as its lease says, by our clock', () => {
    const clock = createManualClock();
    const nodes = new LiveNodes(clock);
    nodes.set('ns/a', lease('a', clock.nowMs()));
    clock.advance(119_000);
    expect(nodes.voices().map(({ node }) => node)).toEqual(['a']);
    clock.advance(1_000);
    expect(nodes.voices()).toEqual([]);
    nodes.set('ns/a', lease('a', clock.nowMs()));
    expect(nodes.voices().length).toBe(1);
  });

  it('believes no clock but its own: a renewal is a time that differs', () => {
    const clock = createManualClock();
    const nodes = new LiveNodes(clock);
    nodes.set('ns/a', lease('a', clock.nowMs() + 3_600_000));
    clock.advance(60_000);
    nodes.set('ns/a', lease('a', clock.nowMs() - 3_600_000));
    clock.advance(119_000);
    expect(nodes.voices().length).toBe(1);
  });

  it('does not count a lease that was left behind days ago', () => {
    const clock = createManualClock();
    const nodes = new LiveNodes(clock);
    nodes.replace(new Map([['ns/old', lease('old', clock.nowMs() - 86_400_000)]]));
    expect(nodes.voices()).toEqual([]);
  });
});
