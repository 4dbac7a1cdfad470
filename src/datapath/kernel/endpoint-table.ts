/** Whose addresses are whose, in the kernel: the programs deliver nothing for a pod that sends in another's name. */
import { type Ip, ipFromBytes, ipMappedBytes } from '../../net/ip.ts';
import type { MapEntries } from '../../sys/bpf-map.ts';
import { decodeEndpoint, decodeEndpointKey, encodeEndpoint, encodeEndpointKey } from './abi.gen.ts';

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

  /** `flags`: of `enum endpoint_flag`. */
  write(addresses: readonly Ip[], ifindex: number, flags = 0): void {
    for (const address of addresses) {
      const known = this.#owners.get(address);
      if (known?.ifindex === ifindex && known.flags === flags) continue;
      const value = { ifindex, flags, window: 0, flows: 0 };
      this.#map.update(encodeEndpointKey({ address: ipMappedBytes(address) }), encodeEndpoint(value));
      this.#owners.set(address, { ifindex, flags });
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
