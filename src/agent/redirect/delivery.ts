/** How redirected packets get to their pod: chosen, and said why. Pure. */
import type { EngineReport } from './policy-engines.ts';

export type DeliveryWish = 'auto' | 'direct' | 'stack';

export interface Delivery {
  /** `direct`: past the stack, without a conntrack entry. `stack`: netfilter of the node sees them. */
  readonly mode: 'direct' | 'stack';
  /** In words. */
  readonly reason: string;
}

/** `auto` goes past the stack only where nothing is known that would have wanted to see the packets. */
export function chooseDelivery(wish: DeliveryWish, { engines, unknown }: EngineReport): Delivery {
  const found = engines.length === 0 ? '' : `netfilter holds policies of ${engines.join(', ')}`;
  if (wish !== 'auto')
    return { mode: wish, reason: found === '' ? 'as asked for' : `as asked for; ${found}` };
  if (found !== '') return { mode: 'stack', reason: found };
  if (unknown !== undefined) return { mode: 'stack', reason: `netfilter may hold policies: ${unknown}` };
  return { mode: 'direct', reason: 'netfilter holds no policies' };
}
