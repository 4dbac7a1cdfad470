import { describe, expect, it } from 'vitest';
import type { Flow } from '../api.ts';
import { formatCompact } from '../print/compact.ts';
import { ANSWER, packet } from '../testing/sample-packet.ts';
import { TestNode } from '../testing/test-node.ts';

const ANSWERED = { verdict: 'answered', payload: ANSWER, tookNs: 2100 } as const;

/** What stands behind the time, without identities. */
function line(flow: Flow): string {
  const text = formatCompact({ flow, node_name: flow.node_name, time: flow.time });
  return text.slice(text.indexOf(': ') + 2).replace(/ \(ID:\d+\)/g, '');
}

const THERE = 'default/netshoot:41022 -> kube-system/kube-dns:53 (unknown)';
const BACK = 'default/netshoot:41022 <- kube-system/kube-dns:53 (unknown)';
const UNTRANSLATED =
  'default/netshoot:41022 <> kube-system/kube-dns:53 (unknown) pre-xlate-fwd TRACED (UDP answered by the kernel)';

describe('kernelAnswerParts', () => {
  it('are both packets and both messages in their order, and no pod is at the other end', () => {
    expect(new TestNode().see(packet(ANSWERED)).map(line)).toEqual([
      `${THERE} from-endpoint FORWARDED (UDP)`,
      UNTRANSLATED,
      `${THERE} dns-request kernel FORWARDED (DNS Query google.com. A)`,
      `${BACK} to-endpoint FORWARDED (UDP)`,
      `${BACK} dns-response kernel FORWARDED (DNS Answer "142.250.196.110" TTL: 30 (Query google.com. A))`,
    ]);
  });

  it('are the packets alone of a payload that is no DNS, which the kernel never sends', () => {
    expect(new TestNode().see(packet({ ...ANSWERED, payload: Uint8Array.of(1, 2, 3) })).map(line)).toEqual([
      `${THERE} from-endpoint FORWARDED (UDP)`,
      UNTRANSLATED,
      `${BACK} to-endpoint FORWARDED (UDP)`,
    ]);
  });

  it('tells of an answer of the kernel what a client that waits for it would want to know', () => {
    const flows = new TestNode().see(packet(ANSWERED));
    const ids = flows.map(({ trace_context }) => trace_context?.parent.trace_id);
    expect(new Set(ids)).toEqual(new Set(['172.20.1.5:41022/49886']));
    expect(flows.map(({ is_reply, traffic_direction }) => [is_reply, traffic_direction])).toEqual([
      [false, 'EGRESS'],
      [undefined, undefined],
      [false, 'EGRESS'],
      [true, 'EGRESS'],
      [true, 'EGRESS'],
    ]);
    expect(flows.map(({ event_type }) => event_type)).toEqual([
      { type: 4, sub_type: 5 },
      { type: 7, sub_type: 1 },
      { type: 129 },
      { type: 4 },
      { type: 129 },
    ]);
    expect(flows.at(-1)?.l7).toEqual({
      type: 'RESPONSE',
      latency_ns: '2100',
      dns: {
        ...{ query: 'google.com.', qtypes: ['A'], ips: ['142.250.196.110'], ttl: 30, rrtypes: ['A'] },
        observation_source: 'kernel',
      },
    });
    expect(flows[2]?.l7).not.toHaveProperty('latency_ns');
  });

  it('measures from the first query when it is the kernel that answers the second', () => {
    const node = new TestNode();
    node.see(packet());
    const answered = packet({ ...ANSWERED, tookNs: 2000, timeNs: 5_001_000_000n });
    expect(node.see(answered).at(-1)?.l7?.latency_ns).toBe('5000000000');
    expect(node.see({ ...answered, timeNs: 5_001_500_000n }).at(-1)?.l7?.latency_ns).toBe('2000');
  });
});
