/** The head of a report: what kind of node each is, in the words that an SRE asks first. */
import { dnsPicture } from '../picture/dns-picture.ts';
import type { KernelAnswersFact } from '../site/agent-facts.ts';
import { knownOr } from '../site/known.ts';
import type { Site } from '../site/site.ts';
import type { NodeAbout } from './report.ts';

export function aboutNodes(site: Site): readonly NodeAbout[] {
  const cni = site.nodes.length === 0 ? undefined : cniText(site);
  return site.nodes.map(({ name, facts, agent }) => {
    const kernel = knownOr(facts.kernel, undefined)?.release;
    const proxy = knownOr(facts.proxy, undefined)?.mode;
    const { version, kernelAnswers } = knownOr(agent.status, undefined) ?? {};
    return {
      node: name,
      ...(kernel === undefined ? {} : { kernel }),
      ...(cni === undefined ? {} : { cni }),
      ...(proxy === undefined ? {} : { proxy }),
      ...(version === undefined ? {} : { agent: version }),
      ...(kernelAnswers === undefined ? {} : { kernelAnswers: answersText(kernelAnswers) }),
    };
  });
}

function answersText({ on, answered, of }: KernelAnswersFact): string {
  return on ? `${answered} of ${of} pods` : 'off';
}

/** By the pods of its DaemonSet, of which each node has one. */
const OTHERS: readonly (readonly [RegExp, string])[] = [
  [/\/calico\/node\b/, 'calico'],
  [/\bkube-flannel\b|\/flannel\b/, 'flannel'],
  [/\bantrea\b/, 'antrea'],
  [/\bamazon-k8s-cni\b/, 'aws vpc cni'],
  [/\bazure-cni\b|\bazure-cns\b/, 'azure cni'],
  [/\bkube-ovn\b/, 'kube-ovn'],
  [/\bovn-kubernetes\b/, 'ovn-kubernetes'],
  [/\bweave-kube\b/, 'weave'],
  [/\bkube-router\b/, 'kube-router'],
  [/\bkindnetd\b/, 'kindnet'],
];

function cniText(site: Site): string | undefined {
  const { cilium } = dnsPicture(site);
  if (cilium.present) {
    const version = cilium.version === undefined ? '' : ` ${cilium.version.text}`;
    return `cilium${version}${cilium.replacesProxy === true ? ' instead of kube-proxy' : ''}`;
  }
  const images = knownOr(site.cluster.workloads, []).flatMap(({ kind, template }) =>
    kind === 'DaemonSet' ? template.containers.map(({ image }) => image) : [],
  );
  return OTHERS.find(([pattern]) => images.some((image) => pattern.test(image)))?.[1];
}
