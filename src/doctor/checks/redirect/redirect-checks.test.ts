/** Each fault is written into manifests that are sound, is found, and is gone when it is taken out again. */
import { describe, expect, it } from 'vitest';
import { readYaml } from '../../lint/read-yaml.ts';
import { runChecks } from '../../run-checks.ts';
import { known } from '../../site/known.ts';
import { unknownAgentFacts, unknownNodeFacts } from '../../site/site.ts';
import {
  CILIUM,
  CLUSTER_DNS,
  changed,
  found,
  foundBy,
  POD_CACHE,
  POLICY,
  reportOf,
  siteOf,
} from '../../testing/manifest-report.ts';
import { d31 } from './d31-recursion-not-available.ts';

const SOUND = [CLUSTER_DNS, POD_CACHE, POLICY, CILIUM];
const CACHE = 'DaemonSet kube-system/node-local-dns';

describe('sound manifests', () => {
  it('have no finding', async () => {
    expect(await found(...SOUND)).toEqual([]);
  });
});

describe('d26', () => {
  it('finds a cache that nothing redirects to, and gives the policy that does', async () => {
    const { findings, exitCode } = await reportOf(CLUSTER_DNS, POD_CACHE, CILIUM);
    expect(exitCode).toBe(1);
    expect(findings).toMatchObject([
      { id: 'D26', severity: 'bypassed', object: CACHE, fix: { kind: 'yaml' } },
    ]);
    const fix = findings[0]?.fix.text ?? '';
    expect(readYaml('fix', fix).troubles).toEqual([]);
    expect(await found(CLUSTER_DNS, POD_CACHE, CILIUM, fix)).toEqual([]);
  });

  it('is not content with a policy for another service or for other pods', async () => {
    const service = changed(POLICY, 'serviceName: kube-dns', 'serviceName: kube-dns-upstream');
    expect(await foundBy('D26', CLUSTER_DNS, POD_CACHE, service)).toHaveLength(1);
    const pods = changed(POLICY, 'k8s-app: node-local-dns', 'k8s-app: nodelocaldns');
    expect(await foundBy('D26', CLUSTER_DNS, POD_CACHE, pods)).toHaveLength(1);
  });
});

/** As nodelocaldns.yaml of kubernetes/kubernetes is after sed. */
const STOCK = changed(
  changed(POD_CACHE, 'hostNetwork: false', 'hostNetwork: true'),
  ', -skipteardown=true, -setupinterface=false, -setupiptables=false',
  '',
);

describe('d27', () => {
  it('finds the stock manifest where kube-proxy is replaced, with and without a policy', async () => {
    expect(await foundBy('D27', CLUSTER_DNS, STOCK, CILIUM)).toEqual([`D27 broken ${CACHE}`]);
    expect(await foundBy('D27', ...SOUND.with(1, STOCK))).toEqual([`D27 broken ${CACHE}`]);
    const { findings } = await reportOf(CLUSTER_DNS, STOCK, CILIUM);
    expect(findings[0]?.cause).toContain('communications error to 10.96.0.10#53: connection refused');
  });

  it('has nothing against it behind kube-proxy', async () => {
    expect(await foundBy('D27', CLUSTER_DNS, STOCK)).toEqual([]);
    const partly = changed(CILIUM, 'kube-proxy-replacement: "true"', 'kube-proxy-replacement: "false"');
    expect(await foundBy('D27', CLUSTER_DNS, STOCK, partly)).toEqual([]);
  });
});

describe('d28', () => {
  it.each(['-skipteardown=true', '-setupinterface=false', '-setupiptables=false'])(
    'misses %s',
    async (word) => {
      const cache = changed(POD_CACHE, `, ${word}`, '');
      expect(await foundBy('D28', ...SOUND.with(1, cache))).toEqual([`D28 warning ${CACHE}`]);
      const { findings } = await reportOf(...SOUND.with(1, cache));
      expect(findings.find(({ id }) => id === 'D28')?.fix.text).toContain(word);
    },
  );

  it('takes each way to write them, and asks for none without a policy', async () => {
    const other = changed(
      POD_CACHE,
      '-skipteardown=true, -setupinterface=false',
      '--skipteardown, --setupinterface=F',
    );
    expect(await foundBy('D28', ...SOUND.with(1, other))).toEqual([]);
    expect(await foundBy('D28', CLUSTER_DNS, changed(POD_CACHE, '-skipteardown=true, ', ''))).toEqual([]);
  });
});

describe('d29', () => {
  const policy = 'CiliumLocalRedirectPolicy kube-system/nodelocaldns';

  it('finds a name that the policy has and the service has not', async () => {
    const other = changed(POLICY, 'name: dns-tcp', 'name: tcp-dns');
    expect(await foundBy('D29', ...SOUND.with(2, other))).toEqual([`D29 bypassed ${policy}`]);
    const { findings } = await reportOf(...SOUND.with(2, other));
    expect(findings.find(({ id }) => id === 'D29')?.evidence.join('\n')).toContain('"dns-tcp"');
  });

  it('finds a container port that is called otherwise', async () => {
    const cache = changed(POD_CACHE, 'name: dns-tcp, containerPort', 'name: dnstcp, containerPort');
    expect(await foundBy('D29', ...SOUND.with(1, cache))).toEqual([`D29 bypassed ${policy}`]);
  });
});

describe('d30', () => {
  const off = changed(CILIUM, '  enable-local-redirect-policy: "true"\n', '');

  it('names the value of the version that runs', async () => {
    const newer = await reportOf(...SOUND.with(3, off));
    expect(newer.findings).toMatchObject([{ id: 'D30', severity: 'bypassed' }]);
    expect(newer.findings[0]?.fix.text).toContain('--set localRedirectPolicies.enabled=true');
    const older = await reportOf(...SOUND.with(3, changed(off, 'v1.18.1', 'v1.17.6')));
    expect(older.findings[0]?.fix.text).toContain('--version 1.17.6 --set localRedirectPolicy=true');
  });

  it('names both where the version is not known', async () => {
    const report = await reportOf(...SOUND.with(3, changed(off, ':v1.18.1', '')));
    const text = report.findings[0]?.fix.text ?? '';
    expect(text).toContain('localRedirectPolicies.enabled=true');
    expect(text).toContain('localRedirectPolicy=true');
  });

  it.each([':v1.18', ''])(
    'gives no command that would upgrade Cilium where all it knows is "%s"',
    async (tag) => {
      const { findings } = await reportOf(...SOUND.with(3, changed(off, ':v1.18.1', tag)));
      expect(findings[0]?.fix.kind).toBe('text');
      for (const line of findings[0]?.fix.text.split('\n').filter((one) => one.startsWith('helm')) ?? [])
        expect(line).toContain('--version VERSION');
    },
  );

  it('tells of the older name in a file of values, which 1.18 still takes', async () => {
    const agent = CILIUM.slice(CILIUM.indexOf('---'));
    const values = 'kubeProxyReplacement: true\nlocalRedirectPolicy: true\n';
    expect(await found(...SOUND.with(3, agent), values)).toEqual(['D30 warning']);
    const now = 'kubeProxyReplacement: true\nlocalRedirectPolicies:\n  enabled: true\n';
    expect(await found(...SOUND.with(3, agent), now)).toEqual([]);
    const before = changed(agent, 'v1.18.1', 'v1.17.6');
    const config = changed(off, /---[\s\S]*/, '');
    expect(await foundBy('D30', CLUSTER_DNS, POD_CACHE, POLICY, before, config, now)).toEqual([
      'D30 bypassed',
    ]);
  });
});

describe('d31', () => {
  const site = (recursionAvailable: boolean) => ({
    ...siteOf(),
    nodes: [
      {
        name: 'w1',
        facts: unknownNodeFacts('not looked at'),
        agent: {
          ...unknownAgentFacts('not asked'),
          probes: known([
            {
              ...{ tag: 't', node: 'w1', client: 'default/a', protocol: 'UDP' as const, targetPort: 53 },
              ...{
                target: '10.96.0.10' as never,
                outcome: 'answered' as const,
                rcode: 'NXDOMAIN',
                steps: [],
              },
              recursionAvailable,
            },
          ]),
        },
      },
    ],
  });

  it('explains the message and calls nothing broken', async () => {
    const { findings } = await runChecks(site(false), [d31]);
    expect(findings).toMatchObject([{ id: 'D31', severity: 'info', node: 'w1' }]);
    expect(findings[0]?.cause).toContain('Got recursion not available');
    expect((await runChecks(site(true), [d31])).findings).toEqual([]);
  });
});

describe('d32', () => {
  const policy = 'CiliumLocalRedirectPolicy kube-system/nodelocaldns';

  it('finds a policy that selects nobody, and one that is refused', async () => {
    const nobody = changed(POLICY, 'k8s-app: node-local-dns', 'k8s-app: nodelocaldns');
    expect(await foundBy('D32', ...SOUND.with(2, nobody))).toEqual([`D32 bypassed ${policy}`]);
    const refused = changed(POLICY, 'port: "53", protocol: UDP', 'port: "0", protocol: UDP');
    expect(await foundBy('D32', ...SOUND.with(2, refused))).toEqual([`D32 bypassed ${policy}`]);
  });
});
