import { describe, expect, it } from 'vitest';
import type { PacketEvent } from '../datapath/datapath.ts';
import type { Flow } from './api.ts';
import { ANSWER, CACHE, CLIENT, COREDNS, packet, peer, VIP } from './testing/sample-packet.ts';
import { TestNode } from './testing/test-node.ts';
import { countAnswers, findQueries, judgeNewest } from './verdict.ts';

const CACHES = [
  { pod: 'kube-system/node-local-dns-w1', node: 'k8s-w1' },
  { pod: 'kube-system/node-local-dns-ctr', node: 'k8s-ctr' },
];

/** What the agents of the named nodes say about packets, in milliseconds after the query. */
function see(
  packets: readonly { node?: string; atMs: number; event: Partial<PacketEvent> }[],
): readonly Flow[] {
  const nodes = new Map<string, TestNode>();
  return packets.flatMap(({ node = 'k8s-w1', atMs, event }) => {
    const observer = nodes.get(node) ?? new TestNode(node);
    nodes.set(node, observer);
    return observer.see(packet({ ...event, timeNs: BigInt(Math.round(atMs * 1e6)) }));
  });
}

const asked = { atMs: 0, event: {} };
const arrivedAtCoredns = {
  node: 'k8s-ctr',
  atMs: 0.2,
  event: { hook: 'to-endpoint', destination: COREDNS },
} as const;
const leftCoredns = {
  node: 'k8s-ctr',
  atMs: 1,
  event: { source: COREDNS, destination: CLIENT, payload: ANSWER },
};
const answered = {
  atMs: 1.2,
  event: { hook: 'to-endpoint', source: VIP, destination: CLIENT, payload: ANSWER },
} as const;
const redirected = {
  atMs: 0,
  event: { verdict: 'redirected', translated: CACHE, deliveredIfindex: 9 },
} as const;
const restored = {
  atMs: 2,
  event: {
    verdict: 'restored',
    translated: VIP,
    deliveredIfindex: 7,
    source: CACHE,
    destination: CLIENT,
    payload: ANSWER,
  },
} as const;
const kernelAnswered = { atMs: 0, event: { verdict: 'answered', payload: ANSWER, tookNs: 2100 } } as const;
const upstream = { atMs: 1, event: { source: peer('172.20.1.9', 40000), destination: COREDNS } };

const ASKED = 'default/netshoot asked google.com. A';
const CASES: readonly {
  name: string;
  flows: readonly Flow[];
  verdict: string;
  served?: string;
  evidence: string;
}[] = [
  {
    name: 'BYPASSED when it entered coredns',
    flows: see([asked, arrivedAtCoredns, leftCoredns, answered]),
    verdict: 'BYPASSED',
    evidence: `BYPASSED: ${ASKED}; it entered kube-system/coredns-a on k8s-ctr; no packet entered node-local-dns-w1 on its own node k8s-w1`,
  },
  {
    name: 'BYPASSED when only its own node was observed',
    flows: see([asked, answered]),
    verdict: 'BYPASSED',
    evidence: `BYPASSED: ${ASKED}; where it went was not seen; no packet entered node-local-dns-w1 on its own node k8s-w1`,
  },
  {
    name: 'BYPASSED with the reason when it was left alone',
    flows: see([{ atMs: 0, event: { verdict: 'fell-back', reason: 'no-backend' } }, answered]),
    verdict: 'BYPASSED',
    evidence: `BYPASSED: ${ASKED}; it fell back (no-backend, no ready backend on this node); where it went was not seen; no packet entered node-local-dns-w1 on its own node k8s-w1`,
  },
  {
    name: 'ENTERED and a hit when the cache asked nobody',
    flows: see([redirected, restored]),
    verdict: 'ENTERED',
    served: 'hit',
    evidence: `ENTERED: ${ASKED}; it entered kube-system/node-local-dns-w1 on its own node k8s-w1, which answered by itself (hit) in 2.00 ms`,
  },
  {
    name: 'ENTERED and a miss when it asked upstream in between',
    flows: see([redirected, upstream, restored]),
    verdict: 'ENTERED',
    served: 'miss',
    evidence: `ENTERED: ${ASKED}; it entered kube-system/node-local-dns-w1 on its own node k8s-w1, which asked upstream (miss) in 2.00 ms`,
  },
  {
    name: 'ENTERED when the kernel answered it',
    flows: see([kernelAnswered]),
    verdict: 'ENTERED',
    served: 'kernel',
    evidence: `ENTERED: ${ASKED}; answered by the kernel on its own node k8s-w1 in 2.1 us`,
  },
  {
    name: 'ENTERED without an answer',
    flows: see([redirected]),
    verdict: 'ENTERED',
    evidence: `ENTERED: ${ASKED}; it entered kube-system/node-local-dns-w1 on its own node k8s-w1; no answer was seen`,
  },
  {
    name: 'UNSEEN when no packet of it was',
    flows: see([upstream]),
    verdict: 'UNSEEN',
    evidence: 'UNSEEN: no query of default/netshoot for google.com passed an observed interface',
  },
];

describe('judgeNewest', () => {
  it.each(CASES)('$name', ({ flows, verdict, served, evidence }) => {
    const judged = judgeNewest(
      flows,
      { clientPod: 'default/netshoot', name: 'google.com' },
      { caches: CACHES },
    );
    expect(judged).toMatchObject({ verdict, evidence });
    expect(judged.served).toBe(served);
  });

  it('tells how long the kernel took, which is nobody at the other end', () => {
    const judged = judgeNewest(see([kernelAnswered]), {}, { caches: CACHES });
    expect(judged).toMatchObject({ latencyNs: 2100n });
    expect(judged).not.toHaveProperty('server');
  });

  it('does not depend on the order of the flows', () => {
    const flows = see([redirected, upstream, restored]).toReversed();
    const judged = judgeNewest(
      flows,
      { clientPod: 'default/netshoot', name: 'GOOGLE.com' },
      { caches: CACHES },
    );
    expect(judged).toMatchObject({
      verdict: 'ENTERED',
      served: 'miss',
      server: 'kube-system/node-local-dns-w1',
    });
  });
});

describe('findQueries', () => {
  it.each([
    { name: 'by client', selector: { clientPod: 'default/netshoot' }, count: 1 },
    { name: 'by name in any case', selector: { name: 'Google.COM' }, count: 2 },
    { name: 'by port and id', selector: { sourcePort: 41022, id: 49886 }, count: 1 },
    { name: 'by another id', selector: { id: 9886 }, count: 0 },
  ])('finds $name', ({ selector, count }) => {
    expect(findQueries(see([redirected, upstream, restored]), selector)).toHaveLength(count);
  });
});

describe('countAnswers', () => {
  it('counts each answer once, for the pod that gave it', () => {
    const counts = countAnswers(see([asked, arrivedAtCoredns, leftCoredns, answered]));
    expect([...counts]).toEqual([['kube-system/coredns-a', 1]]);
    expect([...countAnswers(see([redirected, restored]))]).toEqual([['kube-system/node-local-dns-w1', 1]]);
  });

  it("counts the kernel's own as its own, whoever had the same id before", () => {
    const later = { ...kernelAnswered, atMs: 5000 };
    expect([...countAnswers(see([redirected, restored, later, later]))]).toEqual([
      ['kube-system/node-local-dns-w1', 1],
      ['the kernel', 2],
    ]);
  });

  it('counts for the service when the server was not observed', () => {
    expect([...countAnswers(see([asked, answered]))]).toEqual([['kube-system/kube-dns', 1]]);
  });

  it('looks at the window and the client', () => {
    const flows = see([redirected, restored]);
    expect(countAnswers(flows, { toNs: 0n }).size).toBe(0);
    expect(countAnswers(flows, { clientPod: 'default/curl-pod' }).size).toBe(0);
    expect(countAnswers(flows, { fromNs: 0n, clientPod: 'default/netshoot' }).size).toBe(1);
  });
});
