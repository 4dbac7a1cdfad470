/** What may take the kernel's answers from a pod that has them: the loop lets nothing of it wait for long. */
import { changedKeys } from '../../cluster/changed-keys.ts';
import type { NamespaceRow, PodRow } from '../../cluster/rows.ts';
import type { ClusterSnapshot } from '../../cluster/snapshot.ts';
import { sameValue } from '../../policy/same-value.ts';

/** Said too often rather than too seldom; most changes of pods (readiness, new ones) are none. */
export function mayEndAnswers(before: ClusterSnapshot, now: ClusterSnapshot): boolean {
  if (before.networkPolicies !== now.networkPolicies) return true;
  if (before.synced.has('networkPolicies') && !now.synced.has('networkPolicies')) return true;
  return (['pods', 'namespaces'] as const).some((kind) =>
    [...changedKeys(before, now, kind)].some((key) =>
      isWishChanged(before[kind].get(key), now[kind].get(key)),
    ),
  );
}

type Wishing = Pick<PodRow | NamespaceRow, 'labels' | 'kernelAnswers' | 'redirect'>;

/** Labels bring a pod under a policy, and take from it what a policy opens. */
function isWishChanged(before: Wishing | undefined, now: Wishing | undefined): boolean {
  if (before === undefined || now === undefined) return false;
  return (
    before.kernelAnswers !== now.kernelAnswers ||
    before.redirect !== now.redirect ||
    !sameValue(before.labels, now.labels)
  );
}
