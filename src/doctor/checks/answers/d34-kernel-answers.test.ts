import { describe, expect, it } from 'vitest';
import { toPort } from '../../../net/port.ts';
import type { PolicyState } from '../../../policy/table.ts';
import type { AgentSummary, KernelAnswersFact } from '../../site/agent-facts.ts';
import { known } from '../../site/known.ts';
import type { Site } from '../../site/site.ts';
import { address, liveSite, NODE, podOf } from '../../testing/live-site.ts';
import { CLUSTER_DNS, POD_CACHE } from '../../testing/manifest-report.ts';
import { d34 } from './d34-kernel-answers.ts';

const CACHE = { address: address('172.20.1.9'), port: 53 };
const PORT = toPort(53);
const ON: KernelAnswersFact = { on: true, served: [CACHE], answered: 1, of: 1, refused: [] };
const STATUS: AgentSummary = {
  ...{ version: '1', startedAtMs: 0, redirects: true, redirected: 0 },
  fellBack: {},
};

function policy(protocol: 'UDP' | 'TCP'): PolicyState {
  if (PORT === undefined) throw new Error('53 is a port');
  const backend = { address: CACHE.address, port: PORT, protocol, state: 'active' as const };
  return {
    ...{ policy: 'kube-system/nodelocaldns', frontendType: 'clusterIP + named ports', state: 'active' },
    ...{ reason: '', skipRedirectFromBackend: true },
    frontends: [
      {
        ...{ address: address('10.96.0.10'), port: PORT, protocol, type: 'LocalRedirect' },
        ...{ service: 'kube-system/kube-dns', policy: 'kube-system/nodelocaldns', backends: [backend] },
      },
    ],
  };
}

function site(kernelAnswers: KernelAnswersFact | undefined): Site {
  const pod = podOf('DaemonSet kube-system/node-local-dns', 'node-local-dns-w1', {
    node: NODE,
    ip: '172.20.1.9',
  });
  return liveSite({
    manifests: [CLUSTER_DNS, POD_CACHE, pod],
    agent: {
      status: known({ ...STATUS, ...(kernelAnswers && { kernelAnswers }) }),
      policies: known([policy('UDP'), policy('TCP')]),
    },
  });
}

const run = (answers: KernelAnswersFact | undefined) => d34.run(site(answers));

describe('D34', () => {
  it.each([
    { name: 'an agent that knows of no kernel answers', answers: undefined },
    { name: 'an agent that was told to have none', answers: { ...ON, on: false, served: [] } },
    { name: 'a node where all is answered', answers: ON },
    {
      name: 'a cache, which must not be answered from itself',
      answers: {
        ...ON,
        refused: [{ pod: 'kube-system/node-local-dns-w1', reason: 'queries are redirected to it' }],
      },
    },
  ] as const)('says nothing of $name', async ({ answers }) => {
    expect(await run(answers)).toEqual([]);
  });

  it('says nothing where there is no agent', async () => {
    expect(await d34.run(liveSite({ agent: { status: known(undefined) } }))).toEqual([]);
  });

  it('tells of pods that are left out on purpose, those with one reason together, and advises nothing', async () => {
    const reason = 'annotation zerohop.io/kernel-answers of the pod is deny';
    const closed = 'network policy default/closed does not plainly allow UDP to 10.96.0.10:53';
    const refused = [
      { pod: 'default/a', reason },
      { pod: 'default/b', reason: closed },
      { pod: 'default/c', reason },
    ] as const;
    const [finding, ...more] = await run({ ...ON, answered: 2, of: 5, refused });
    expect(more).toEqual([]);
    expect(finding).toMatchObject({
      ...{ id: 'D34', severity: 'info', node: NODE, title: d34.title },
      evidence: [
        `the kernel answers for 2 of 5 pods of ${NODE}`,
        `default/a, default/c: ${reason}`,
        `default/b: ${closed}`,
      ],
    });
    expect(finding?.fix.text).not.toContain('kernel-answers=allow');
  });

  it('tells of a redirected address whose cache gives no answers, of UDP alone', async () => {
    const [finding, ...more] = await run({ ...ON, served: [], problem: 'all shelves are taken' });
    expect(more).toEqual([]);
    expect(finding).toMatchObject({
      severity: 'info',
      evidence: [
        '10.96.0.10:53, of policy kube-system/nodelocaldns: none of 172.20.1.9:53 fills the answer map',
        `the agent of ${NODE}: all shelves are taken`,
      ],
    });
  });

  it('stays short, however many there are', async () => {
    const refused = Array.from({ length: 400 }, (_, n) => ({
      pod: `a/p${n}` as const,
      reason: `reason ${n % 20}`,
    }));
    const [finding] = await run({ ...ON, refused });
    expect(finding?.evidence).toHaveLength(7);
    expect(finding?.evidence[1]).toBe('a/p0, a/p20, a/p40, a/p60, a/p80 and 15 more: reason 0');
  });
});
