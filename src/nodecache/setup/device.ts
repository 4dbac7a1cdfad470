/**
 * The interface that makes the listen addresses the node's own (dns-server 4.6). A dummy as in the original; a kernel
 * without that driver gets another kind that carries addresses and no packets. IPv4 needs the interface only to exist;
 * for IPv6 it must be up, and addresses skip the search for duplicates, during which nothing could be bound to them.
 */
import { type Ip, ipBytes, ipFamily } from '../../net/ip.ts';
import {
  addAddress,
  findInterface,
  type InterfaceAddress,
  type InterfaceState,
  interfaceAddresses,
  makeInterface,
  removeAddress,
  removeInterface,
  setInterfaceAlias,
  setInterfaceUp,
  suppressLinkLocal,
} from '../../sys/interface.ts';
import type { Log } from '../../telemetry/log.ts';

export interface DeviceOptions {
  /** At most 15 characters. */
  readonly name: string;
  readonly ips: readonly Ip[];
  readonly log: () => Log;
  readonly failed: (type: 'interface_add' | 'interface_check') => void;
  /** What to try, in this order. */
  readonly kinds?: readonly string[];
}

/** In the order of preference; each carries addresses and no packets. */
const KINDS: readonly string[] = ['dummy', 'ifb', 'bridge'];
/** Kernels call the kind of interface that they do not have "not supported". */
const NO_SUCH_KIND: readonly string[] = ['ENOTSUP', 'EOPNOTSUPP'];
/** How ours is told from a bridge that happens to have this name. */
const ALIAS = 'zerohop node-cache';
const LOOPBACK = 'lo';
const MAX_LABEL = 15;

export class Device {
  readonly #options: DeviceOptions;
  /** On an interface that is not ours these are what we may take away. */
  readonly #added = new Set<Ip>();
  /** The kernel has none of the kinds: the addresses live on the loopback interface. */
  #onLoopback = false;

  constructor(options: DeviceOptions) {
    this.#options = options;
  }

  /** Makes what is missing. Failures are logged and counted; the next call tries again. Throws when netlink is away. */
  ensure(): void {
    const { name, log } = this.#options;
    let state = this.#find();
    if (state === undefined) {
      this.#make();
      state = this.#find();
      if (state === undefined) return;
      log().info(`Added interface - ${name}`);
    }
    this.#ensureAddresses(state);
  }

  /** Takes away addresses of ours that an earlier run left, unless they are used. Before `ensure`, at start. */
  repair(isUsed: (ip: Ip) => boolean): void {
    const state = findInterface(this.#options.name);
    if (state !== undefined && isOurs(state)) this.#repairOn(state, isUsed, () => true);
    const loopback = findInterface(LOOPBACK);
    const label = this.#label();
    if (loopback !== undefined) this.#repairOn(loopback, isUsed, (address) => address.label === label);
  }

  #repairOn(
    { ifindex, name }: InterfaceState,
    isUsed: (ip: Ip) => boolean,
    isOurAddress: (address: InterfaceAddress) => boolean,
  ): void {
    for (const address of interfaceAddresses(ifindex).filter(isOurAddress)) {
      const { ip, prefixLength } = address;
      const isWanted = this.#options.ips.includes(ip) && prefixLength === ipBytes(ip).length * 8;
      // One that is wanted, but not with this mask, is in nobody's way for the moment that it is away.
      const isInUse = !this.#options.ips.includes(ip) && isUsed(ip);
      if (isWanted || ip.startsWith('fe80:') || isInUse) continue;
      const result = removeAddress(ifindex, address);
      const text = `address ${ip}/${prefixLength} that an earlier run left on ${name}`;
      if (result === 'OK') this.#options.log().info(`Removed the ${text}`);
      else this.#options.log().error(`Cannot remove the ${text}: ${result}`);
    }
  }

  /** Removes the interface; while another instance needs it, only those addresses that no other uses. */
  remove(others: { address: (ip: Ip) => boolean; anyAddress: () => boolean }): void {
    const { name, ips, log } = this.#options;
    const state = this.#find();
    if (state === undefined) return;
    const addresses = interfaceAddresses(state.ifindex);
    const isShared = others.anyAddress() || addresses.some(({ ip }) => others.address(ip));
    if (isOurs(state) && !isShared) {
      const result = removeInterface(state.ifindex);
      if (result !== 'OK' && result !== 'ENODEV')
        log().error(`Failed to remove interface ${name}: ${result}`);
      return;
    }
    for (const address of addresses) {
      const isOurAddress = isOurs(state) || this.#added.has(address.ip) || address.label === this.#label();
      if (!ips.includes(address.ip) || !isOurAddress || others.address(address.ip)) continue;
      const result = removeAddress(state.ifindex, address);
      if (result !== 'OK')
        log().error(`Failed to remove address ${address.ip} from ${state.name}: ${result}`);
    }
  }

  #find(): InterfaceState | undefined {
    return findInterface(this.#onLoopback ? LOOPBACK : this.#options.name);
  }

  #label(): string {
    return `${LOOPBACK}:${this.#options.name}`.slice(0, MAX_LABEL);
  }

  #make(): void {
    const { name, log, failed, kinds = KINDS } = this.#options;
    for (const kind of kinds) {
      const result = makeInterface(name, kind);
      if (NO_SUCH_KIND.includes(result)) continue;
      if (result !== 'OK' && result !== 'EEXIST') {
        log().error(`Failed to add non-existent interface ${name}: ${result}`);
        failed('interface_add');
        return;
      }
      const state = findInterface(name);
      if (state !== undefined && result === 'OK') setInterfaceAlias(state.ifindex, ALIAS);
      if (kind !== 'dummy') log().info(`This kernel has no dummy interfaces: ${name} is of kind ${kind}`);
      return;
    }
    this.#onLoopback = true;
    log().info(`This kernel has no dummy interfaces: the addresses of ${name} are put on ${LOOPBACK}`);
  }

  #ensureAddresses(state: InterfaceState): void {
    const { ips, log, failed } = this.#options;
    if (!state.up && ips.some((ip) => ipFamily(ip) === 6)) {
      // Both are for neatness only; a kernel without IPv6 tells by the addresses.
      suppressLinkLocal(state.ifindex);
      setInterfaceUp(state.ifindex);
    }
    const label = this.#onLoopback ? this.#label() : undefined;
    for (const ip of ips) {
      const result = addAddress(state.ifindex, ip, label);
      if (result === 'OK') this.#added.add(ip);
      if (result === 'OK' || result === 'EEXIST') continue;
      log().error(`Error checking dummy device ${this.#options.name} - cannot add address ${ip}: ${result}`);
      failed('interface_check');
    }
  }
}

function isOurs({ kind, alias }: InterfaceState): boolean {
  return kind === 'dummy' || (alias === ALIAS && KINDS.includes(kind));
}
