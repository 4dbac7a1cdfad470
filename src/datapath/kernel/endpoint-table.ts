/** Whose addresses are whose, in the kernel: the programs deliver nothing for a pod that sends in another's name. */
import { type Ip, ipFromBytes, ipMappedBytes } from '../../net/ip.ts';
import type { BpfMap } from '../../sys/bpf-map.ts';
import { decodeEndpoint, decodeEndpointKey, encodeEndpoint, encodeEndpointKey } from './abi.gen.ts';

export class EndpointTable {
  readonly #map: BpfMap;
  readonly #owners = new Map<Ip, number>();

  /** The map stays the caller's. Reads what is there. */
  constructor(map: BpfMap) {
    this.#map = map;
    for (const key of map.keys()) {
      const value = map.lookup(key);
      if (value === undefined) continue;
      const { address } = decodeEndpointKey(new DataView(key.buffer));
      this.#owners.set(ipFromBytes(address), decodeEndpoint(value).ifindex);
    }
  }

  write(addresses: readonly Ip[], ifindex: number): void {
    for (const address of addresses) {
      if (this.#owners.get(address) === ifindex) continue;
      const value = { ifindex, flags: 0, window: 0, flows: 0 };
      this.#map.update(encodeEndpointKey({ address: ipMappedBytes(address) }), encodeEndpoint(value));
      this.#owners.set(address, ifindex);
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
