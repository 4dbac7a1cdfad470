/** Pods by namespace, those of this node apart: a policy looks at its own namespace and takes backends from here alone. */
import type { ObjectKey, PodRow } from '../../cluster/rows.ts';

export interface Neighbours {
  readonly local: ReadonlyMap<ObjectKey, PodRow>;
  /** Of other nodes and of none; for words only, so it may be empty where the agent watches its own node's pods. */
  readonly remote: ReadonlyMap<ObjectKey, PodRow>;
}

interface OpenNeighbours {
  readonly local: Map<ObjectKey, PodRow>;
  readonly remote: Map<ObjectKey, PodRow>;
}

const NOBODY: Neighbours = { local: new Map(), remote: new Map() };

export class PodIndex {
  readonly #nodeName: string;
  readonly #byNamespace = new Map<string, OpenNeighbours>();

  constructor(nodeName: string) {
    this.#nodeName = nodeName;
  }

  isLocal(pod: PodRow | undefined): boolean {
    return pod?.nodeName === this.#nodeName;
  }

  in(namespace: string): Neighbours {
    return this.#byNamespace.get(namespace) ?? NOBODY;
  }

  /** One of the two may be undefined: the pod is new, or gone. A key's namespace never changes. */
  replace(key: ObjectKey, before: PodRow | undefined, now: PodRow | undefined): void {
    const namespace = (now ?? before)?.namespace ?? '';
    const known = this.#byNamespace.get(namespace);
    const neighbours = known ?? { local: new Map(), remote: new Map() };
    if (known === undefined) this.#byNamespace.set(namespace, neighbours);
    const [from, to] = [this.#part(neighbours, before), this.#part(neighbours, now)];
    if (now === undefined || from !== to) from.delete(key);
    if (now !== undefined) to.set(key, now);
    if (neighbours.local.size + neighbours.remote.size === 0) this.#byNamespace.delete(namespace);
  }

  #part(neighbours: OpenNeighbours, pod: PodRow | undefined): Map<ObjectKey, PodRow> {
    return this.isLocal(pod) ? neighbours.local : neighbours.remote;
  }
}
