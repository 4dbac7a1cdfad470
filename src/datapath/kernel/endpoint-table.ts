/** Whose addresses are whose, in the kernel: the programs deliver nothing for a pod that sends in another's name. */
import { type Ip, ipFromBytes, ipMappedBytes } from '../../net/ip.ts';
import type { MapEntries } from '../../sys/bpf-map.ts';
import { decodeEndpoint, decodeEndpointKey, encodeEndpoint, encodeEndpointKey } from './abi.gen.ts';

const NONE_YET = { window: 0, flows: 0 };

export class EndpointTable {
  readonly #map: MapEntries;
  readonly #owners = new Map<Ip, { readonly ifindex: number; readonly flags: number }>();

  /** The map stays the caller's. Reads what is there. */
  constructor(map: MapEntries) {
    this.#map = map;
    for (const key of map.keys()) {
      const value = map.lookup(key);
      if (value === undefined) continue;
      const { address } = decodeEndpointKey(new DataView(key.buffer));
      this.#owners.set(ipFromBytes(address), decodeEndpoint(value));
    }
  }

  /** `flags`: of `enum endpoint_flag`. What the programs count of a pod goes on when only these change. */
  write(addresses: readonly Ip[], ifindex: number, flags = 0): void {
    for (const address of addresses) {
      const known = this.#owners.get(address);
      if (known?.ifindex === ifindex && known.flags === flags) continue;
      const key = encodeEndpointKey({ address: ipMappedBytes(address) });
      const last = known?.ifindex === ifindex ? this.#map.lookup(key) : undefined;
      const { window, flows } = last === undefined ? NONE_YET : decodeEndpoint(last);
      this.#map.update(key, encodeEndpoint({ ifindex, flags, window, flows }));
      this.#owners.set(address, { ifindex, flags });
    }
  }

  /** The addresses with any of `flags`, whoever wrote them. */
  having(flags: number): readonly Ip[] {
    return [...this.#owners].flatMap(([address, owner]) => ((owner.flags & flags) === 0 ? [] : [address]));
  }

  /** Takes `flags` from those that have them, wherever they are; what is not known stays unknown. */
  clear(addresses: readonly Ip[], flags: number): void {
    for (const address of addresses) {
      const known = this.#owners.get(address);
      if (known !== undefined && (known.flags & flags) !== 0)
        this.write([address], known.ifindex, known.flags & ~flags);
    }
  }

  prune(keep: ReadonlySet<Ip>): void {
    for (const address of this.#owners.keys()) {
      if (keep.has(address)) continue;
      this.#map.delete(encodeEndpointKey({ address: ipMappedBytes(address) }));
      this.#owners.delete(address);
    }
  }
}
