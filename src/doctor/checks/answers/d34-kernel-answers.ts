/**
 * Where the agent has the kernel answer cached names, who is left out: pods that may not be answered so, and redirected
 * addresses for which no cache gives answers. Such queries enter the cache as they did before, so nothing of it is a fault but
 * this: answers that were ordered for pods, and that an agent without the right to look at network policies cannot give.
 */
import { objectKey } from '../../../cluster/rows.ts';
import { formatAddressPort } from '../../../net/port.ts';
import type { Frontend } from '../../../policy/table.ts';
import type { Check, Finding } from '../../check.ts';
import { dnsPicture } from '../../picture/dns-picture.ts';
import type { KernelAnswersFact } from '../../site/agent-facts.ts';
import { knownOr } from '../../site/known.ts';
import type { NodeSite, Site } from '../../site/site.ts';

export const d34: Check = {
  id: 'D34',
  title: 'The kernel does not answer the cached names of every pod',
  pains: ['P2', 'P25'],
  needs: {},
  run: (site) =>
    site.nodes.flatMap((node) => {
      const answers = knownOr(node.agent.status, undefined)?.kernelAnswers;
      return answers?.on === true ? [...withoutAnswers(node, answers), ...refused(site, node, answers)] : [];
    }),
};

/** Lines of evidence, and pods in one of them. */
const TOLD = 5;

function withoutAnswers(node: NodeSite, { problem, served }: KernelAnswersFact): readonly Finding[] {
  const places = new Set(served.map(({ address, port }) => formatAddressPort(address, port)));
  const frontends = knownOr(node.agent.policies, [])
    .flatMap((policy) => policy.frontends)
    .filter(({ type, protocol }) => type === 'LocalRedirect' && protocol === 'UDP')
    .filter(
      ({ backends }) => !backends.some(({ address, port }) => places.has(formatAddressPort(address, port))),
    );
  if (frontends.length === 0) return [];
  return [
    {
      ...{ id: 'D34', severity: 'info', node: node.name },
      title: 'No cache gives the kernel answers for a redirected address',
      evidence: [
        ...frontends.slice(0, TOLD).map(frontendText),
        ...(frontends.length > TOLD ? [`and ${frontends.length - TOLD} more`] : []),
        ...(problem === undefined ? [] : [`the agent of ${node.name}: ${problem}`]),
      ],
      cause:
        'the process that serves there has not been given a part of the answer map: it is of another maker or older, was told to have ' +
        'none, or does not beat; queries enter it as they did before',
      fix: {
        kind: 'text',
        text: 'Nothing needs to be done. "zerohop status" on the node shows which caches fill the answer map; "-kernel-answers on" is the default of "zerohop dns" and "zerohop node-cache".',
      },
    },
  ];
}

function frontendText({ address, port, policy, backends }: Frontend): string {
  const by = policy === undefined ? '' : `, of policy ${policy}`;
  const to = backends.map((backend) => formatAddressPort(backend.address, backend.port)).join(', ');
  return `${formatAddressPort(address, port)}${by}: none of ${to} fills the answer map`;
}

interface Refusal {
  /** How the agent's words for it begin (src/agent/redirect/pod-answers.ts); none for all the rest. */
  readonly words?: string;
  readonly severity: Finding['severity'];
  readonly title: string;
  readonly cause: string;
  readonly fix: Finding['fix'];
}

/** The first whose words fit. An agent of another version may have others: then nothing is called a fault. */
const REFUSALS: readonly Refusal[] = [
  {
    words: 'network policies could not be listed',
    severity: 'warning',
    title:
      'The agent cannot list network policies, and the kernel answers for no pod that does not ask for it',
    cause:
      'the agent was given kernel answers without the right to list and watch networkpolicies, or the API server has refused them so ' +
      'far; a pod that a policy may close is not answered. "zerohop status" and the log of the agent say which',
    fix: {
      kind: 'command',
      // As deploy/kustomize/components/kernel-answers does it.
      text: `kubectl patch clusterrole zerohop-agent --type=json -p '[{"op":"add","path":"/rules/-","value":{"apiGroups":["networking.k8s.io"],"resources":["networkpolicies"],"verbs":["list","watch"]}}]'`,
    },
  },
  {
    words: 'redirected packets go through the stack',
    severity: 'info',
    title: 'The kernel answers for no pod that does not ask for it, because netfilter may hold policies',
    cause:
      'a query that the kernel answers is seen by nobody behind our program, and which pods a policy engine in netfilter closes cannot ' +
      'be read; the queries of these pods enter the cache as they did before',
    fix: {
      kind: 'text',
      text: 'Nothing needs to be done. Where no policy has to see the queries of these pods, annotate them or their namespace with zerohop.io/kernel-answers=allow.',
    },
  },
];

const ON_PURPOSE: Refusal = {
  severity: 'info',
  title: d34.title,
  cause:
    'a query that the kernel answers is seen by nobody behind our program, so a pod gets such answers only where it is redirected and ' +
    'no policy and no annotation is against it; the queries of these pods are treated as they were before',
  fix: {
    kind: 'text',
    text: 'Nothing needs to be done: these pods are left out on purpose. Where that is not meant, change what the reason names.',
  },
};

function refused(site: Site, node: NodeSite, answers: KernelAnswersFact): readonly Finding[] {
  // What queries are redirected to must not be answered from itself.
  const caches = new Set<string>(dnsPicture(site).caches.flatMap(({ pods }) => pods.map(objectKey)));
  const others = answers.refused.filter(({ pod }) => !caches.has(pod));
  const byKind = Map.groupBy(others, ({ reason }) => kindOf(reason));
  return [...REFUSALS, ON_PURPOSE].flatMap((kind) => {
    const byReason = [...Map.groupBy(byKind.get(kind) ?? [], ({ reason }) => reason)];
    if (byReason.length === 0) return [];
    const { severity, title, cause, fix } = kind;
    const evidence = [
      `the kernel answers for ${answers.answered} of ${answers.of} pods of ${node.name}`,
      ...byReason.slice(0, TOLD).map(([reason, own]) => `${podsText(own.map(({ pod }) => pod))}: ${reason}`),
      ...(byReason.length > TOLD ? [`and ${byReason.length - TOLD} more reasons`] : []),
    ];
    return [{ ...{ id: d34.id, severity, title, node: node.name }, evidence, cause, fix }];
  });
}

function kindOf(reason: string): Refusal {
  return REFUSALS.find(({ words }) => words !== undefined && reason.startsWith(words)) ?? ON_PURPOSE;
}

function podsText(pods: readonly string[]): string {
  const more = pods.length > TOLD ? ` and ${pods.length - TOLD} more` : '';
  return `${pods.slice(0, TOLD).join(', ')}${more}`;
}
