/** Probes that arrive, that are answered elsewhere and that get lost, and who is named for it. */
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runChecks } from '../../run-checks.ts';
import type { ProbeTrail } from '../../site/agent-facts.ts';
import { known } from '../../site/known.ts';
import type { HookFact, NodeFacts } from '../../site/node-facts.ts';
import { address, liveSite, NODE, podOf, probe } from '../../testing/live-site.ts';
import { CLUSTER_DNS, POD_CACHE } from '../../testing/manifest-report.ts';
import { d31 } from '../redirect/d31-recursion-not-available.ts';
import { d01 } from './d01-probe-arrives.ts';
import { d02 } from './d02-who-rewrote.ts';

const CACHE_POD = podOf('DaemonSet kube-system/node-local-dns', 'node-local-dns-w1', {
  node: NODE,
  ip: '172.20.1.9',
});
const WITH_CACHE = [CLUSTER_DNS, POD_CACHE, CACHE_POD];

const cached = probe({
  server: {
    address: address('172.20.1.9'),
    port: 53,
    pod: 'kube-system/node-local-dns-w1',
    node: NODE,
    cache: true,
  },
});
const elsewhere = probe({
  server: {
    address: address('172.20.0.23'),
    port: 53,
    pod: 'kube-system/coredns-a',
    node: 'w2',
    cache: false,
  },
});

function run(
  probes: readonly ProbeTrail[],
  facts: Partial<NodeFacts> = {},
  manifests: readonly string[] = WITH_CACHE,
) {
  return runChecks(liveSite({ manifests, facts, agent: { probes: known(probes) } }), [d01, d02]);
}

async function findings(...given: Parameters<typeof run>) {
  return (await run(...given)).findings;
}

describe('d01', () => {
  it('says nothing while every probe arrives at the cache', async () => {
    expect(await findings([cached, cached])).toEqual([]);
  });

  it('finds those that were answered elsewhere, and prints the policy', async () => {
    const [finding] = await findings([cached, elsewhere, elsewhere]);
    expect(finding).toMatchObject({ id: 'D01', severity: 'bypassed', node: NODE, fix: { kind: 'yaml' } });
    expect(finding?.evidence).toEqual([
      '2 of 3 probes were answered elsewhere, 1 arrived at a cache of node w1',
      'default/netshoot asked 10.96.0.10:53 by UDP, and was answered by kube-system/coredns-a on w2',
      'on w1 it would have been kube-system/node-local-dns-w1',
    ]);
    expect(parse(finding?.fix.text ?? '')).toMatchObject({ kind: 'CiliumLocalRedirectPolicy' });
  });

  it('says so where the node has no cache at all, and names nobody who took them', async () => {
    const found = await findings([elsewhere], {}, [CLUSTER_DNS]);
    expect(found).toMatchObject([
      { id: 'D01', severity: 'bypassed', title: 'There is no DNS cache on the node' },
    ]);
  });

  it.each([
    { outcome: 'refused', cause: 'nobody listens' },
    { outcome: 'timeout', cause: 'dropped on the way' },
    { outcome: 'unreachable', cause: 'does not let them out' },
  ] as const)('finds probes whose end is $outcome, once for all pods', async ({ outcome, cause }) => {
    const lost = ['a', 'b'].map((name) => probe({ outcome, client: `default/${name}` }));
    const found = await findings([...lost, cached]);
    expect(found).toMatchObject([
      {
        id: 'D01',
        severity: 'broken',
        cause: expect.stringContaining(cause),
      },
    ]);
    expect(found[0]?.evidence[0]).toBe(`2 of 3 probes to 10.96.0.10: ${outcome}`);
    expect(found[0]?.pod).toBeUndefined();
  });

  it('takes an answer that says it failed for none, wherever it came from', async () => {
    const report = await run([cached, { ...cached, rcode: 'SERVFAIL' }]);
    expect(report).toMatchObject({
      exitCode: 1,
      findings: [{ id: 'D01', severity: 'broken', title: 'Queries of pods are answered with an error' }],
      pods: [{ verdict: 'BROKEN', entered: 1, lost: 1, because: 'D01' }],
    });
    expect(report.pods[0]?.evidence).toEqual([
      '1 UDP to 10.96.0.10:53: SERVFAIL by kube-system/node-local-dns-w1',
    ]);
  });

  it('tells of a server that refuses by its word, which may refuse this name alone', async () => {
    const report = await run([{ ...cached, rcode: 'REFUSED' }]);
    expect(report).toMatchObject({
      exitCode: 1,
      findings: [{ id: 'D01', severity: 'warning' }],
      pods: [{ verdict: 'ENTERED' }],
    });
  });

  it('cannot tell without probes', async () => {
    const report = await runChecks(liveSite({ manifests: WITH_CACHE }), [d01]);
    expect(report).toMatchObject({ findings: [], exitCode: 2, blind: [{ id: 'D01', node: NODE }] });
  });
});

const at = (place: string, name: string): Partial<NodeFacts> => ({
  hooks: known<readonly HookFact[]>([{ place, owners: [{ kind: 'cgroup', name, id: 7 }] }]),
});

const conntrack = (replySource: string): Partial<NodeFacts> => ({
  conntrack: known({
    counters: {},
    entries: [
      {
        ...{
          protocol: 'UDP',
          source: address('172.20.1.5'),
          sourcePort: 4000,
          destination: address('10.96.0.10'),
        },
        ...{
          destinationPort: 53,
          replySource: address(replySource),
          replySourcePort: 53,
          unreplied: false,
          timeoutSeconds: 30,
        },
      },
    ],
    entriesOmitted: 0,
  }),
});

describe('d02', () => {
  const proxy = (mode: 'iptables' | 'ipvs', ipvs: readonly string[] = []) =>
    known({ mode, evidence: 'told', ipvsAddresses: ipvs.map(address) });

  it.each([
    {
      name: "Cilium's programs at connect()",
      facts: at('cgroup connect4', 'cil_sock4_conne'),
      who: "Cilium's socket load balancing",
    },
    {
      name: "Calico's",
      facts: at('cgroup sendmsg4', 'calico_sendmsg_'),
      who: "Calico's socket load balancing",
    },
    {
      name: 'programs at the pods',
      facts: at('v0 ingress', 'cil_from_contai'),
      who: "Cilium's programs at the pods' interfaces",
    },
    { name: 'IPVS', facts: { proxy: proxy('ipvs', ['10.96.0.10']) }, who: 'IPVS' },
    {
      name: 'Open vSwitch',
      facts: { interfaces: known([{ name: 'antrea-gw0', ifindex: 4, kind: '', up: true, addresses: [] }]) },
      who: 'Open vSwitch',
    },
    {
      name: "kube-proxy's rules",
      facts: { proxy: proxy('iptables'), ...conntrack('172.20.0.23') },
      who: 'kube-proxy with its rules (mode iptables)',
    },
  ])('names $name', async ({ facts, who }) => {
    const found = (await findings([elsewhere], facts)).filter(({ id }) => id === 'D02');
    expect(found).toMatchObject([{ severity: 'bypassed', fix: { kind: 'yaml' } }]);
    expect(found[0]?.cause).toContain(who);
    expect((await findings([cached], facts)).filter(({ id }) => id === 'D02')).toEqual([]);
  });

  it('believes connection tracking before what only stands in the way', async () => {
    const facts = { ...at('cgroup connect4', 'cil_sock4_conne'), ...conntrack('172.20.0.23') };
    const found = (await findings([elsewhere], facts)).find(({ id }) => id === 'D02');
    expect(found?.cause).toContain('a rule of netfilter that translates addresses');
    expect(found?.evidence).toContain(
      'connection tracking: 172.20.1.5 asked 10.96.0.10, 172.20.0.23 answers',
    );
  });

  it('says why zerohop fell back instead of blaming others', async () => {
    const reason = 'no-socket, no socket is bound at any backend, on w1';
    const step = {
      hook: 'tc',
      destination: address('10.96.0.10'),
      destinationPort: 53,
      verdict: 'fell back',
      reason,
    };
    const found = await findings([{ ...elsewhere, steps: [step] }], at('v0 ingress', 'cil_from_contai'));
    expect(found.filter(({ id }) => id === 'D02')).toMatchObject([
      { cause: expect.stringContaining('no-socket') },
    ]);
  });

  it('gives way to a cause as what a verdict names', async () => {
    const site = liveSite({
      manifests: WITH_CACHE,
      facts: conntrack('172.20.0.23'),
      agent: { probes: known([elsewhere]) },
    });
    expect((await runChecks(site)).pods).toMatchObject([{ verdict: 'BYPASSED', because: 'D26' }]);
    expect((await runChecks(site, [d01, d02])).pods).toMatchObject([{ because: 'D02' }]);
  });
});

describe('d31', () => {
  const answers = (...available: readonly boolean[]) =>
    liveSite({
      agent: { probes: known(available.map((recursionAvailable) => ({ ...cached, recursionAvailable }))) },
    });

  it('tells of answers without the bit that nslookup looks for, as something that is not wrong', async () => {
    const report = await runChecks(answers(false, true), [d31]);
    expect(report.findings).toMatchObject([{ id: 'D31', severity: 'info', node: NODE }]);
    expect(report.findings[0]?.evidence[0]).toContain('1 of 2 probes were answered with ra=0');
    expect(report.exitCode).toBe(0);
    expect((await runChecks(answers(true), [d31])).findings).toEqual([]);
  });
});
