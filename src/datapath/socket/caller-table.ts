/**
 * Which network namespaces the socket programs serve: the node's own, and in scope `all` those of the node's pods.
 * Nobody else on the machine is touched, so several nodes can share one. A namespace that is not here yet (a pod that has
 * just come) is left alone at the socket; its packets are redirected at its interface all the same.
 */
import type { BpfMap } from '../../sys/bpf-map.ts';
import {
  insideNamespace,
  listNamespaces,
  type NetNamespace,
  namespaceId,
  ownNamespace,
} from '../../sys/netns/namespaces.ts';
import { decodeCallerKey, encodeCaller, encodeCallerKey, MAX_CALLERS } from './socket-abi.gen.ts';

/** As bpf/abi.h has it of backends: the namespace of the node itself. */
const OWN_ID = -1;

export interface CallerTableOptions {
  /** Stays the caller's. */
  readonly map: BpfMap;
  /** Of the namespace the thread is in; undefined when nobody can tell. */
  readonly readCookie: () => bigint | undefined;
}

/** A namespace whose sockets are redirected. */
export interface ServedNamespace {
  readonly namespace: NetNamespace;
  /** As programs have it. */
  readonly cookie: bigint;
  /** As the node's own namespace knows it; negative: the node's own. */
  readonly netnsId: number;
}

export class CallerTable {
  readonly #options: CallerTableOptions;
  readonly #written = new Map<bigint, number>();
  #namespaces: readonly NetNamespace[] = [];
  #served: readonly ServedNamespace[] = [];

  /** Reads what an earlier agent wrote. */
  constructor(options: CallerTableOptions) {
    this.#options = options;
    for (const key of options.map.keys()) {
      // Of which namespace is learned when it is written again; until then it differs from all.
      this.#written.set(decodeCallerKey(new DataView(key.buffer)).cookie, Number.NaN);
    }
  }

  get size(): number {
    return this.#written.size;
  }

  /** Of the callers, as last seen: where sockets may have to be ended. */
  get namespaces(): readonly NetNamespace[] {
    return this.#namespaces;
  }

  /** Of the callers, those that are served now. */
  get served(): readonly ServedNamespace[] {
    return this.#served;
  }

  /**
   * Makes the table hold the node's own namespace and those that it knows by `podIds` as served, and with `mayPrune` no
   * others. What sockets of one that is not served any more were redirected to may still go, so it stays among `namespaces`.
   * Returns the ids that were found nowhere, as of a pod whose processes have not started. `own` is false when the own
   * cookie cannot be told.
   */
  write(
    podIds: ReadonlyMap<number, boolean>,
    mayPrune: boolean,
  ): { readonly missing: ReadonlySet<number>; readonly own: boolean } {
    const own = this.#options.readCookie();
    const missing = new Set(podIds.keys());
    const wanted = new Map<bigint, number>();
    const namespaces = [ownNamespace()];
    const servedNow: ServedNamespace[] = [];
    if (own !== undefined) {
      wanted.set(own, OWN_ID);
      servedNow.push({ namespace: ownNamespace(), cookie: own, netnsId: OWN_ID });
    }
    for (const namespace of podIds.size === 0 ? [] : listNamespaces()) {
      const id = namespaceId(namespace);
      const served = id === undefined ? undefined : podIds.get(id);
      if (id === undefined || served === undefined) continue;
      const cookie = insideNamespace(namespace, this.#options.readCookie);
      if (cookie === undefined) continue;
      missing.delete(id);
      if (served) {
        wanted.set(cookie, id);
        servedNow.push({ namespace, cookie, netnsId: id });
      }
      namespaces.push(namespace);
    }
    this.#namespaces = namespaces;
    this.#served = servedNow;
    if (mayPrune) this.#prune(wanted);
    this.#add(wanted);
    return { missing, own: own !== undefined };
  }

  #prune(wanted: ReadonlyMap<bigint, number>): void {
    for (const cookie of [...this.#written.keys()]) {
      if (wanted.has(cookie)) continue;
      this.#options.map.delete(encodeCallerKey({ cookie }));
      this.#written.delete(cookie);
    }
  }

  #add(wanted: ReadonlyMap<bigint, number>): void {
    const { map } = this.#options;
    for (const [cookie, netnsId] of wanted) {
      if (this.#written.get(cookie) === netnsId || this.#written.size >= MAX_CALLERS) continue;
      map.update(encodeCallerKey({ cookie }), encodeCaller({ netnsId }));
      this.#written.set(cookie, netnsId);
    }
  }
}
