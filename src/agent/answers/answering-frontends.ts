/**
 * Frontends that a policy redirected a moment ago and still would: only their pods of this node have gone, as in a rolling
 * update between the old one and the new. What the cache that went left in the kernel is right until it expires, so that
 * names go on being answered; not for long, because nobody says who will come. Whatever else ends the redirect ends this.
 */
import { tupleKey } from '../../policy/order.ts';
import type { Frontend, PolicyState, ServiceTable } from '../../policy/table.ts';

/** Longer than a pod takes to be replaced where its image is there, shorter than somebody takes to wonder. */
export const LAST_MS = 60_000;

export interface AnsweringFrontend {
  /** As it was redirected last. */
  readonly frontend: Frontend;
  /** Of the policy object that redirected it. */
  readonly uid: string | undefined;
  /** Of the monotonic clock. */
  readonly untilMs: number;
}

export class AnsweringFrontends {
  /** The first to end stands first. */
  #list: readonly AnsweringFrontend[] = [];
  #redirects: readonly Frontend[] = [];
  #uids: ReadonlyMap<string, string | undefined> = new Map();

  get list(): readonly AnsweringFrontend[] {
    return this.#list;
  }

  /** What is to be answered without a backend from now on; each frontend is the object that was redirected. */
  follow({ redirects, policies }: ServiceTable, nowMs: number): readonly Frontend[] {
    const gone = this.#gone(redirects, nowMs + LAST_MS);
    this.#redirects = redirects;
    this.#uids = new Map(policies.map(({ policy, uid }) => [policy, uid]));
    if (gone.length > 0 || this.#list.length > 0) {
      const states = new Map(policies.map((state) => [state.policy, state]));
      this.#list = [...this.#list, ...gone].filter(
        (each) => each.untilMs > nowMs && isItsOwn(each, states.get(each.frontend.policy ?? '')),
      );
    }
    return this.#list.map(({ frontend }) => frontend);
  }

  #gone(redirects: readonly Frontend[], untilMs: number): readonly AnsweringFrontend[] {
    if (redirects === this.#redirects) return [];
    const left = new Set(redirects.map(tupleKey));
    return this.#redirects
      .filter((frontend) => frontend.protocol === 'UDP' && !left.has(tupleKey(frontend)))
      .map((frontend) => ({ frontend, uid: this.#uids.get(frontend.policy ?? ''), untilMs }));
  }
}

/** The policy is the one that it was, and lacks nothing but a backend for it. */
function isItsOwn({ frontend, uid }: AnsweringFrontend, state: PolicyState | undefined): boolean {
  if (state === undefined || state.uid !== uid) return false;
  const tuple = tupleKey(frontend);
  return state.frontends.some(
    (each) => each.type === 'ClusterIP' && each.policy === state.policy && tupleKey(each) === tuple,
  );
}
