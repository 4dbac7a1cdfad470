/**
 * Which pods may be redirected where our program runs ahead of another owner of the hook, who then never sees the redirected
 * packets: an egress policy would be bypassed. Pure.
 */
import type { RedirectWish } from '../../cluster/rows.ts';

/** `annotated`: those that say so, by annotation of the pod or of its namespace. `all`: those that do not say no. */
export type RedirectPermission = 'all' | 'annotated';

export interface RedirectWishes {
  readonly pod: RedirectWish | undefined;
  readonly namespace: RedirectWish | undefined;
}

/** Absent fields are false. */
export interface Permission {
  readonly permitted?: true;
  /** Never redirected, wherever our program runs. */
  readonly observeOnly?: true;
}

/** A no of either counts more than a yes of the other: who says it has a policy that must see the packets. */
export function permissionOf({ pod, namespace }: RedirectWishes, rule: RedirectPermission): Permission {
  if (pod === 'deny' || namespace === 'deny') return { observeOnly: true };
  const permitted = rule === 'all' || pod === 'permit' || namespace === 'permit';
  return permitted ? { permitted } : {};
}
