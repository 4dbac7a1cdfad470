/** The addresses of all nodes, counted: a node that leaves must not take an address with it that another one has. */
import type { NodeRow } from '../../cluster/rows.ts';
import type { Ip } from '../../net/ip.ts';

export class NodeAddresses {
  readonly #counts = new Map<Ip, number>();

  has(address: Ip): boolean {
    return this.#counts.has(address);
  }

  /** One of the two may be undefined: the node is new, or gone. */
  replace(before: NodeRow | undefined, now: NodeRow | undefined): void {
    for (const address of now?.internalIPs ?? []) {
      this.#counts.set(address, (this.#counts.get(address) ?? 0) + 1);
    }
    for (const address of before?.internalIPs ?? []) {
      const left = (this.#counts.get(address) ?? 0) - 1;
      if (left > 0) this.#counts.set(address, left);
      else this.#counts.delete(address);
    }
  }
}
