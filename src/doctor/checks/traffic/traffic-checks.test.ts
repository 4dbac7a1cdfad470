/** What numbers about flows are findings, and which are as they should be. */
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Check } from '../../check.ts';
import { runChecks } from '../../run-checks.ts';
import type { FlowSummary, UpstreamAnswer } from '../../site/agent-facts.ts';
import { known } from '../../site/known.ts';
import type { NodeFacts } from '../../site/node-facts.ts';
import { address, flowSite, type LiveSpec, liveSite, NODE, podOf } from '../../testing/live-site.ts';
import { CLUSTER_DNS, changed, POD_CACHE } from '../../testing/manifest-report.ts';
import { d11 } from './d11-upstreams-answer.ts';
import { d12 } from './d12-search-misses.ts';
import { d13 } from './d13-paired-queries.ts';
import { d14 } from './d14-truncated.ts';
import { d15 } from './d15-felt-latency.ts';
import { d16 } from './d16-retries.ts';
import { d23 } from './d23-resolver-limit.ts';

const POD = podOf('Deployment shop/cart', 'cart-1', { node: NODE, ip: '172.20.1.7' });

async function found(check: Check, fields: Partial<FlowSummary>, spec: LiveSpec = {}) {
  return (await runChecks(flowSite(fields, spec), [check])).findings;
}

const traffic = { queries: 4000 };

describe('d11', () => {
  const up: UpstreamAnswer = { outcome: 'answered', rcode: 'NOERROR', latencyMs: 2 };
  const dead: UpstreamAnswer = { outcome: 'timeout' };
  const CACHE_POD = podOf('DaemonSet kube-system/node-local-dns', 'node-local-dns-w1', {
    node: NODE,
    ip: '172.20.1.9',
  });

  async function judged(where: string, udp: UpstreamAnswer, tcp: UpstreamAnswer, tcpResetAfterMs?: number) {
    const reset = tcpResetAfterMs === undefined ? {} : { tcpResetAfterMs };
    const probe = { address: address(where), port: 53, udp, tcp, ...reset };
    const resolvConf = known({
      path: '/etc/resolv.conf',
      nameservers: ['192.0.2.53'],
      search: [],
      options: [],
    });
    const site = liveSite({
      manifests: [CLUSTER_DNS, POD_CACHE, CACHE_POD],
      facts: { resolvConf },
      agent: { upstreams: known([probe]) },
    });
    return (await runChecks(site, [d11])).findings;
  }

  const CLUSTER = '10.96.170.42';
  const OUTSIDE = '192.0.2.53';
  it.each([
    { name: 'both answer', where: CLUSTER, udp: up, tcp: up, severities: [] },
    {
      name: 'TCP is closed where the cache is told to force it',
      where: CLUSTER,
      udp: up,
      tcp: dead,
      severities: ['broken'],
    },
    {
      name: 'UDP is closed where the cache does not use it',
      where: CLUSTER,
      udp: dead,
      tcp: up,
      severities: ['info'],
    },
    {
      name: 'TCP is closed where UDP is tried first',
      where: OUTSIDE,
      udp: up,
      tcp: dead,
      severities: ['warning'],
    },
    {
      name: 'UDP is closed where it is tried first',
      where: OUTSIDE,
      udp: dead,
      tcp: up,
      severities: ['broken'],
    },
    { name: 'nothing answers', where: OUTSIDE, udp: dead, tcp: dead, severities: ['broken'] },
  ])('$name: $severities', async ({ where, udp, tcp, severities }) => {
    expect((await judged(where, udp, tcp)).map(({ severity }) => severity)).toEqual(severities);
  });

  it('names the block that forwards there, and a server that resets idle connections', async () => {
    const [finding] = await judged(CLUSTER, up, dead);
    expect(finding?.evidence).toContain(
      'asked by DaemonSet kube-system/node-local-dns, block cluster.local:53 (force_tcp)',
    );
    expect(finding?.fix.text).toContain('in block cluster.local:53: take force_tcp out');
    expect(await judged(CLUSTER, up, up, 300)).toMatchObject([
      { severity: 'warning', title: expect.stringContaining('resets') },
    ]);
  });
});

describe('d12', () => {
  const misses = {
    ...{ queries: 4100, searchMisses: 3200, topSuffixes: [{ suffix: 'svc.cluster.local.', misses: 1600 }] },
    topNames: [{ name: 'www.google.com.svc.cluster.local.', queries: 1600 }],
    topPods: [
      { pod: 'kube-system/quiet', queries: 3000, searchMisses: 0 },
      { pod: 'shop/cart-1', queries: 1100, searchMisses: 3200 },
    ],
  };

  it('says who wastes queries and by what name, and patches its workload', async () => {
    const [finding] = await found(d12, misses, { manifests: [POD] });
    expect(finding).toMatchObject({ id: 'D12', severity: 'warning', node: NODE, fix: { kind: 'command' } });
    expect(finding?.evidence[0]).toBe(
      '78 % of 4100 queries in 60 s came of search lists and were answered NXDOMAIN',
    );
    expect(finding?.evidence[1]).toContain('shop/cart-1: 3200');
    expect(finding?.fix.text).toMatch(
      /^kubectl patch deployment -n shop cart --type strategic -p '\{.*"ndots","value":"2".*\}'$/,
    );
  });

  it('is no more than a remark where few are wasted, and nothing where it is a small part', async () => {
    expect(await found(d12, { ...misses, queries: 100, searchMisses: 75 })).toMatchObject([
      { severity: 'info' },
    ]);
    expect(await found(d12, { ...misses, queries: 41_000 })).toEqual([]);
    expect(await found(d12, { ...misses, queries: 10, searchMisses: 8 })).toEqual([]);
  });

  it('says what to write where nobody knows the workload', async () => {
    const [finding] = await found(d12, misses);
    expect(parse(finding?.fix.text.split('\n').at(-1) ?? '')).toEqual({
      dnsConfig: { options: [{ name: 'ndots', value: '2' }] },
    });
  });
});

describe('d13', () => {
  const tracked = (insert_failed: number, before: number): LiveSpec => ({
    facts: {
      conntrack: known({
        ...{ counters: { insert_failed }, before: { counters: { insert_failed: before }, agoMs: 5000 } },
        ...{ entries: [], entriesOmitted: 0 },
      }),
      proxy: known({ mode: 'iptables', evidence: 'told', ipvsAddresses: [] }),
    } satisfies Partial<NodeFacts>,
  });
  const pairs = { ...traffic, pairedQueries: 900, pairsToServices: 900 };

  it('warns while connection tracking loses some, and remarks on the rest', async () => {
    expect(await found(d13, pairs, tracked(9, 2))).toMatchObject([{ id: 'D13', severity: 'warning' }]);
    expect(await found(d13, pairs, tracked(0, 0))).toMatchObject([{ severity: 'info' }]);
    expect(await found(d13, { ...pairs, retries: 4 }, tracked(9, 9))).toMatchObject([
      { severity: 'warning' },
    ]);
  });

  it('has nothing against pairs that a cache takes, or that nobody translates', async () => {
    expect(await found(d13, { ...pairs, pairsToServices: 0 }, tracked(9, 2))).toEqual([]);
    const facts = {
      ...tracked(0, 0).facts,
      proxy: known({ mode: 'none' as const, evidence: '', ipvsAddresses: [] }),
    };
    expect(await found(d13, pairs, { facts })).toEqual([]);
  });
});

describe('d14', () => {
  it('finds answers that were cut and not asked for by TCP', async () => {
    const cut = { ...traffic, truncated: 3, truncatedAndDropped: 2, droppingPods: ['shop/cart-1'] };
    const [finding] = await found(d14, cut);
    expect(finding).toMatchObject({
      severity: 'broken',
      pod: 'shop/cart-1',
      cause: expect.stringContaining('musl'),
    });
  });

  it('has nothing against some that were asked for by TCP, and warns of many', async () => {
    expect(await found(d14, { ...traffic, truncated: 30 })).toEqual([]);
    const many = { ...traffic, truncated: 900, truncatedWithoutEdns: 800 };
    expect(await found(d14, many)).toMatchObject([
      { severity: 'warning', cause: expect.stringContaining('EDNS') },
    ]);
  });
});

describe('d15', () => {
  const times = (felt: number, served: number, count = 500) => ({
    ...traffic,
    comparedLatencyMs: { p50: 1, p99: felt, count },
    serverLatencyMs: { p50: 0.5, p99: served, count },
  });

  it.each([
    { name: 'a network', felt: 12, served: 2, count: 500, findings: 0 },
    { name: 'a slow server', felt: 300, served: 290, count: 500, findings: 0 },
    { name: 'a gap', felt: 300, served: 5, count: 500, findings: 1 },
    { name: 'too few to say', felt: 300, served: 5, count: 10, findings: 0 },
  ])('of $name: $findings', async ({ felt, served, count, findings }) => {
    expect(await found(d15, times(felt, served, count))).toHaveLength(findings);
  });

  it('tells a loss from a way that is long', async () => {
    expect((await found(d15, times(5000, 3)))[0]?.cause).toContain('lost');
    expect((await found(d15, times(80, 3)))[0]?.cause).toContain('between the pod and the server');
  });
});

describe('d16', () => {
  it('finds retries, with whose they are', async () => {
    const again = { ...traffic, retries: 31, retryingPods: [{ pod: 'shop/cart-1', retries: 31 }] };
    const [finding] = await found(d16, again);
    expect(finding).toMatchObject({ id: 'D16', severity: 'warning', pod: 'shop/cart-1' });
    expect(finding?.evidence).toContain('31 retries in 60 s: 0.8 % of 4000 queries');
  });

  it('knows a node where nothing is answered any more, and a single retry for what it is', async () => {
    expect(await found(d16, { ...traffic, unanswered: 1000 })).toMatchObject([{ severity: 'broken' }]);
    expect(await found(d16, { ...traffic, retries: 1 })).toEqual([]);
    expect(await found(d16, { queries: 1e6, retries: 40 })).toEqual([]);
  });
});

describe('d23', () => {
  const peak = (text: string, perSecond: number) => ({
    ...traffic,
    upstreamPeaks: [{ address: address(text), perSecond }],
  });
  const onAws: LiveSpec = {
    facts: {
      resolvConf: known({
        path: '/r',
        nameservers: ['10.0.0.2'],
        search: ['eu-west-1.compute.internal'],
        options: [],
      }),
    },
  };

  it.each([
    { name: 'far below the limit', peak: peak('169.254.169.253', 300), spec: {}, severities: [] },
    { name: 'near it', peak: peak('169.254.169.253', 800), spec: {}, severities: ['warning'] },
    { name: 'beyond it', peak: peak('fd00:ec2::253', 1100), spec: {}, severities: ['broken'] },
    {
      name: "to the network's own address on AWS",
      peak: peak('10.0.0.2', 900),
      spec: onAws,
      severities: ['warning'],
    },
    { name: 'to the same address elsewhere', peak: peak('10.0.0.2', 900), spec: {}, severities: [] },
    {
      name: 'to a resolver without such a limit',
      peak: peak('192.0.2.53', 5000),
      spec: onAws,
      severities: [],
    },
  ])('$name: $severities', async ({ peak: fields, spec, severities }) => {
    expect((await found(d23, fields, spec)).map(({ severity }) => severity)).toEqual(severities);
  });

  it('wants a cache where there is none, and a larger one where there is', async () => {
    const fields = peak('169.254.169.253', 800);
    expect(await found(d23, fields)).toMatchObject([{ fix: { kind: 'command' } }]);
    const cache = changed(POD_CACHE, 'hostNetwork: false', 'hostNetwork: true');
    const pod = podOf('DaemonSet kube-system/node-local-dns', 'node-local-dns-w1', {
      node: NODE,
      ip: '192.168.1.1',
    });
    const [finding] = await found(d23, fields, { manifests: [CLUSTER_DNS, cache, pod] });
    expect(finding?.fix.text).toContain('prefetch');
  });
});

const quietConntrack = known({ counters: {}, entries: [], entriesOmitted: 0 });

describe('checks of flows', () => {
  it('find nothing in a quiet minute, and cannot tell without flows', async () => {
    const all = [d12, d13, d14, d15, d16, d23];
    expect((await runChecks(flowSite({}, { facts: { conntrack: quietConntrack } }), all)).findings).toEqual(
      [],
    );
    expect((await runChecks(liveSite({}), all)).exitCode).toBe(2);
  });

  it('hold nothing against a node that has no agent, and say that nobody could tell', async () => {
    const agentless = { agent: { status: known(undefined) } };
    const report = await runChecks(liveSite({ ...agentless, facts: { conntrack: quietConntrack } }), [
      d12,
      d13,
    ]);
    expect(report.exitCode).toBe(0);
    expect(report.blind).toMatchObject([
      { id: 'D12', withoutAgent: true },
      { id: 'D13', withoutAgent: true },
    ]);
    // That connection tracking cannot be read is another matter.
    expect((await runChecks(liveSite(agentless), [d13])).exitCode).toBe(2);
  });
});
