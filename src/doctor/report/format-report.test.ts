import { describe, expect, it } from 'vitest';
import { parseIp } from '../../net/ip.ts';
import { d26 } from '../checks/redirect/d26-no-policy.ts';
import { judgePods } from '../judge-pods.ts';
import { runChecks } from '../run-checks.ts';
import type { ProbeTrail } from '../site/agent-facts.ts';
import { known, unknown } from '../site/known.ts';
import { type Site, unknownAgentFacts, unknownNodeFacts } from '../site/site.ts';
import { CLUSTER_DNS, POD_CACHE, POLICY, siteOf } from '../testing/manifest-report.ts';
import { formatReport, formatReportJson } from './format-report.ts';

const target = parseIp('10.96.0.10') ?? ('' as never);
const probe: ProbeTrail = {
  ...{ tag: 't', node: 'w1', client: 'default/netshoot', protocol: 'UDP', target, targetPort: 53 },
  ...{ outcome: 'answered', steps: [] },
};
const cached: ProbeTrail = { ...probe, server: { address: target, port: 53, cache: true } };
const elsewhere: ProbeTrail = {
  ...probe,
  server: { address: target, port: 53, cache: false, pod: 'kube-system/coredns-1', node: 'w2' },
};
const lost: ProbeTrail = { ...probe, outcome: 'timeout' };

function live(manifests: readonly string[], probes: readonly ProbeTrail[]): Site {
  const agent = { ...unknownAgentFacts('not asked'), probes: known(probes) };
  const nodes = [{ name: 'w1', facts: unknownNodeFacts('not looked at'), agent }];
  return { ...siteOf(...manifests), origin: 'live', nodes };
}

describe('judgePods', () => {
  it.each([
    { verdict: 'ENTERED', probes: [cached, cached] },
    { verdict: 'BYPASSED', probes: [cached, elsewhere] },
    { verdict: 'BROKEN', probes: [cached, elsewhere, lost] },
    { verdict: 'UNKNOWN', probes: [cached, probe] },
  ])('says $verdict', ({ verdict, probes }) => {
    expect(judgePods(live([], probes), [])).toMatchObject([{ pod: 'default/netshoot', verdict }]);
  });
});

describe('runChecks', () => {
  it('takes the cause of a bypassed pod from the finding, and ends with 1', async () => {
    const report = await runChecks(live([CLUSTER_DNS, POD_CACHE], [elsewhere]), [d26]);
    expect(report).toMatchObject({
      exitCode: 1,
      pods: [{ verdict: 'BYPASSED', because: 'D26', fix: { kind: 'yaml' } }],
    });
  });

  it('ends with 0 where all is well and was seen, with 2 where something was not', async () => {
    const sound = live([CLUSTER_DNS, POD_CACHE, POLICY], [cached]);
    expect(await runChecks(sound, [d26])).toMatchObject({ exitCode: 0, findings: [], blind: [] });
    const services = unknown('the API server refused to list services');
    const dark = { ...sound, cluster: { ...sound.cluster, services } };
    expect(await runChecks(dark, [d26])).toMatchObject({ exitCode: 2, blind: [{ id: 'D26' }] });
    expect(await runChecks(live([CLUSTER_DNS, POD_CACHE, POLICY], [probe]), [d26])).toMatchObject({
      exitCode: 2,
    });
  });

  it('outlives a check that fails', async () => {
    const failing = { ...d26, run: () => Promise.reject(new Error('oh')) };
    const report = await runChecks(live([CLUSTER_DNS, POD_CACHE], []), [failing, d26]);
    expect(report.findings).toHaveLength(1);
    expect(report.blind).toMatchObject([{ reason: 'the check itself failed: oh' }]);
  });
});

describe('formatReport', () => {
  it('says what was sent, the verdict, the cause and the fix', async () => {
    const text = formatReport(await runChecks(live([CLUSTER_DNS, POD_CACHE], [elsewhere, elsewhere]), [d26]));
    expect(text).toContain(
      "sent 2 tagged probes from 1 pod  ->  0 entered the node's cache, 2 were answered elsewhere",
    );
    expect(text).toMatch(/VERDICT {3}BYPASSED {2}default\/netshoot/);
    expect(text).toContain('answered by kube-system/coredns-1 on w2');
    expect(text).toContain('cause     No policy sends queries to the node cache (D26)');
    expect(text).not.toContain('\u001b');
    expect(text.endsWith('\n')).toBe(true);
  });

  it('says that the kernel answered, and on which nodes it does', async () => {
    const server = { address: target, port: 53, node: 'w1', cache: true, kernel: true } as const;
    const answered = { ...elsewhere, server, latencyMs: 0.085, steps: [] };
    const site = live([CLUSTER_DNS, POD_CACHE], [answered]);
    const kernelAnswers = { on: true, served: [], answered: 4, of: 5, refused: [] };
    const status = {
      version: '1',
      startedAtMs: 0,
      redirects: true,
      redirected: 0,
      fellBack: {},
      kernelAnswers,
    };
    const nodes = site.nodes.map((node) => ({ ...node, agent: { ...node.agent, status: known(status) } }));
    const text = formatReport(await runChecks({ ...site, nodes }, [d26]));
    expect(text).toContain('zerohop 1, kernel answers: 4 of 5 pods)');
    expect(text).toMatch(/VERDICT {3}ENTERED {3}default\/netshoot/);
    expect(text.replaceAll(/\s+/g, ' ')).toContain(
      `1 UDP to ${target}:53 answered by the kernel on its own node in 85.0 us`,
    );
  });

  it('prints what is to be copied at the left edge, whole, and once', async () => {
    const report = await runChecks(live([CLUSTER_DNS, POD_CACHE], [elsewhere]), [d26]);
    const twice = {
      ...report,
      findings: report.findings.flatMap((one) => [one, { ...one, id: 'D99' as const }]),
    };
    const text = formatReport(twice);
    expect(text.match(/^kubectl apply -f - <<'EOF'\napiVersion: cilium\.io\/v2\n/gm)).toHaveLength(1);
    expect(text).toMatch(/^EOF$/m);
    expect(text).toContain('FIX       the same as for D26');
  });

  it('keeps to 100 columns, but for words and commands that are longer', async () => {
    const report = await runChecks(live([CLUSTER_DNS, POD_CACHE], [elsewhere, lost]), [d26]);
    const long = report.findings.map((one) => ({ ...one, evidence: ['word '.repeat(60), 'x'.repeat(150)] }));
    const lines = formatReport({ ...report, findings: long }).split('\n');
    expect(lines.filter((line) => line.length > 100)).toEqual([expect.stringContaining('x'.repeat(150))]);
  });

  it('tells one reason once, however much it hides', async () => {
    const report = await runChecks(live([], [cached]), [d26]);
    const blind = ['D03', 'D04'].flatMap((id) =>
      ['w1', 'w2'].map((node) => ({ id: id as 'D03', node, reason: 'rules: Cannot list the chains: EPERM' })),
    );
    expect(formatReport({ ...report, exitCode: 2, blind })).toContain(
      'rules of w1, w2: Cannot list the chains: EPERM (D03 D04)',
    );
  });

  it('lets no name steer a terminal, with colour or without', async () => {
    const evil = {
      ...elsewhere,
      client: 'default/\u001b[2Jx',
      server: { address: target, port: 53, cache: false, pod: 'a\u009b\u202e' },
    };
    const report = await runChecks(live([CLUSTER_DNS, POD_CACHE], [evil]), [d26]);
    const ours = [0, 1, 31, 32, 33].map((code) => `\u001b[${code}m`);
    const painted = formatReport(report, { colour: true });
    const colours = ours.reduce((text, code) => text.replaceAll(code, ''), painted);
    expect(painted).not.toBe(colours);
    expect(colours).toBe(formatReport(report));
    for (const bad of ['\u001b', '\u009b', '\u202e']) expect(colours).not.toContain(bad);
    expect(JSON.parse(formatReportJson(report))).toEqual(report);
  });
});
