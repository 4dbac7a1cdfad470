/**
 * What the doctor makes of the agent's words for a pod without kernel answers: the words are the agent's own, so that neither
 * can change without the other.
 */
import { expect, it } from 'vitest';
import { type AnswerRule, PodAnswers } from '../../src/agent/redirect/pod-answers.ts';
import type { AnswerWish, NetworkPolicyRow } from '../../src/cluster/rows.ts';
import type { ClusterSnapshot } from '../../src/cluster/snapshot.ts';
import { d34 } from '../../src/doctor/checks/answers/d34-kernel-answers.ts';
import { known } from '../../src/doctor/site/known.ts';
import { liveSite } from '../../src/doctor/testing/live-site.ts';
import { SAMPLE_CLUSTER } from '../../src/flow/testing/sample-cluster.ts';

const POD = 'default/netshoot';
const CLOSING: NetworkPolicyRow = {
  ...{ namespace: 'default', name: 'closed', uid: 'n', createdAtMs: 0, egress: [] },
  podSelector: { matchLabels: {}, matchExpressions: [] },
};

interface Situation {
  readonly delivery?: AnswerRule['delivery'];
  readonly wish?: AnswerWish;
  readonly listed?: boolean;
  readonly observeOnly?: boolean;
  readonly closed?: boolean;
}

/** As the agent says it of a pod in this situation. */
function reasonOf({ delivery = 'direct', wish, listed = true, observeOnly = false, closed }: Situation) {
  const snapshot: ClusterSnapshot = {
    ...SAMPLE_CLUSTER,
    synced: new Set([...SAMPLE_CLUSTER.synced, ...(listed ? (['networkPolicies'] as const) : [])]),
    networkPolicies: new Map(closed === true ? [['default/closed', CLOSING]] : []),
  };
  const answers = new PodAnswers({ delivery });
  answers.follow(snapshot, { generation: 1, redirects: [], policies: [] });
  const pod = snapshot.pods.get(POD);
  if (pod === undefined) throw new Error(`the sample has no ${POD}`);
  const permission = observeOnly ? { observeOnly } : {};
  const question = { pod: { ...pod, ...(wish && { kernelAnswers: wish }) }, permission };
  answers.decide(POD, { ...question, namespace: snapshot.namespaces.get('/default') });
  return answers.refusals.get(POD) ?? 'it is answered';
}

function judge(situations: readonly Situation[]) {
  const refused = situations.map((situation) => ({ pod: POD, reason: reasonOf(situation) }) as const);
  const kernelAnswers = { ...{ on: true, served: [], answered: 0, of: refused.length }, refused };
  const status = {
    version: '1',
    startedAtMs: 0,
    redirects: true,
    redirected: 0,
    fellBack: {},
    kernelAnswers,
  };
  return d34.run(liveSite({ agent: { status: known(status) } }));
}

it('an agent that may not list network policies is warned of, with the right it lacks', async () => {
  const [finding, ...more] = await judge([{ listed: false }]);
  expect(more).toEqual([]);
  expect(finding).toMatchObject({ severity: 'warning', fix: { kind: 'command' } });
  expect(finding?.evidence.join()).toContain('could not be listed');
  const [, rule] = /-p '(.*)'$/.exec(finding?.fix.text ?? '') ?? [];
  expect(JSON.parse(rule ?? '')).toEqual([
    {
      ...{ op: 'add', path: '/rules/-' },
      value: { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ['list', 'watch'] },
    },
  ]);
});

it('the annotation is advised where delivery through the stack is all that is against it', async () => {
  const [finding, ...more] = await judge([{ delivery: 'stack' }]);
  expect(more).toEqual([]);
  expect(finding).toMatchObject({ severity: 'info', fix: { kind: 'text' } });
  expect(finding?.fix.text).toContain('zerohop.io/kernel-answers=allow');
});

it.each<[string, Situation, string]>([
  ['a policy', { closed: true }, 'network policy default/closed'],
  ['an annotation', { wish: 'deny' }, 'is deny'],
  ['an annotation that cannot be read', { wish: 'unreadable' }, 'neither allow nor deny'],
  ['a redirect that is denied', { observeOnly: true }, 'it is not redirected'],
])('nothing is advised against %s', async (_, situation, words) => {
  const [finding, ...more] = await judge([situation]);
  expect(more).toEqual([]);
  expect(finding).toMatchObject({ severity: 'info', title: d34.title, fix: { kind: 'text' } });
  expect(finding?.evidence.join()).toContain(words);
  expect(finding?.fix.text).not.toContain('=allow');
});

it('each kind is told apart, the fault first', async () => {
  const found = await judge([{ wish: 'deny' }, { delivery: 'stack' }, { listed: false }]);
  expect(found.map(({ severity }) => severity)).toEqual(['warning', 'info', 'info']);
  expect(new Set(found.map(({ title }) => title)).size).toBe(3);
});
