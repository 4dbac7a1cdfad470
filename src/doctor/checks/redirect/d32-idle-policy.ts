/** A policy about DNS that means nothing: refused, without its service, or selecting nobody. Its status says so nowhere. */
import { type LocalRedirectPolicyRow, objectKey } from '../../../cluster/rows.ts';
import { formatSelector, labelTrouble } from '../../../policy/selector.ts';
import { type ValidPolicy, validatePolicy } from '../../../policy/validate.ts';
import type { Check, Finding } from '../../check.ts';
import { type DnsPicture, dnsPicture } from '../../picture/dns-picture.ts';
import { dnsPolicies, redirectPolicyYaml } from '../../picture/redirects.ts';
import { knownOr } from '../../site/known.ts';
import { objectName, type Site } from '../../site/site.ts';

export const d32: Check = {
  id: 'D32',
  title: 'A redirect policy redirects nothing',
  pains: ['P1', 'P3'],
  needs: { cluster: ['services', 'workloads', 'pods', 'localRedirectPolicies'] },
  run(site) {
    const { cluster } = site;
    const picture = dnsPicture(site);
    const about = new Set(dnsPolicies(cluster, picture));
    return knownOr(cluster.localRedirectPolicies, []).flatMap((row) => {
      const valid = validatePolicy(row, {});
      if (!valid.ok) return [finding(row, picture, `it is refused: ${valid.reason ?? valid.code}`)];
      const reason = about.has(row) ? whyIdle(valid.value, site) : undefined;
      return reason === undefined ? [] : [finding(row, picture, reason)];
    });
  },
};

/**
 * A service may be somebody else's, so only selecting nobody counts when there are any pods to select. Of manifests only when
 * a cache is among them: an agent's, with its policy, is applied to a cluster that has one.
 */
function whyIdle(policy: ValidPolicy, site: Site): string | undefined {
  const { cluster } = site;
  const { namespace } = policy.row;
  const caches = dnsPicture(site).caches.filter((cache) => cache.namespace === namespace);
  if (site.origin === 'manifests' && caches.length === 0) return undefined;
  const labelled = [
    ...knownOr(cluster.workloads, [])
      .filter((row) => row.namespace === namespace)
      .map((row) => ({ name: objectName(row.kind, row), labels: row.template.labels })),
    ...knownOr(cluster.pods, [])
      .filter((row) => row.namespace === namespace)
      .map((row) => ({ name: `pod ${objectKey(row)}`, labels: row.labels })),
  ];
  if (labelled.length === 0 || labelled.some(({ labels }) => policy.selects(labels))) return undefined;
  const near = labelled.flatMap(({ name, labels }) => {
    const trouble = labelTrouble(policy.selector, labels);
    return trouble === undefined ? [] : [`${name} ${trouble}`];
  });
  const selector = formatSelector(policy.selector);
  return `no pod of namespace ${namespace} matches ${selector}${near[0] === undefined ? '' : ` (${near[0]})`}`;
}

function finding(row: LocalRedirectPolicyRow, picture: DnsPicture, reason: string): Finding {
  const [cache] = picture.caches;
  const object = objectName('CiliumLocalRedirectPolicy', row);
  return {
    id: 'D32',
    severity: 'bypassed',
    title: d32.title,
    object,
    evidence: [`${object}: ${reason}`],
    cause:
      'a policy that is refused or selects nobody counts as absent, and queries go where they went without it',
    fix:
      cache === undefined
        ? { kind: 'text', text: 'Correct what the evidence names, or remove the policy' }
        : { kind: 'yaml', text: redirectPolicyYaml(cache, picture) },
  };
}
