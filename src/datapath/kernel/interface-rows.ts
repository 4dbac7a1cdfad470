/**
 * The pods of this node and the interfaces that our programs hang on because of them. A pod is looked at when it is new,
 * has changed, has an error, or when interfaces may have; else it costs no system call.
 * Attaching waits for the kernel some 20 ms per interface; between interfaces other work of this thread gets its turn.
 */
import { setImmediate } from 'node:timers/promises';
import type { ObjectKey } from '../../cluster/rows.ts';
import { errorText } from '../../fault/app-error.ts';
import type { Ip } from '../../net/ip.ts';
import type { Log } from '../../telemetry/log.ts';
import type { InterfaceRow, LocalPod } from '../datapath.ts';
import type { HookSet } from '../hooks/hook-set.ts';
import type { PodPlaces } from '../place/pod-places.ts';
import { nextStatus } from '../row-status.ts';
import { ENDPOINT_OBSERVE_ONLY } from './abi.gen.ts';
import type { EndpointTable } from './endpoint-table.ts';

export interface InterfaceParts {
  readonly places: PodPlaces;
  readonly hooks: HookSet;
  readonly endpoints: EndpointTable;
  readonly log: Pick<Log, 'warning'>;
  readonly now: () => number;
}

export interface LookOptions {
  /** Interfaces, or who else hangs on them, may have changed. */
  readonly recheck: boolean;
  /** Asked after each interface that was attached to: from then on nothing may be touched. */
  readonly isClosed: () => boolean;
  /** Asked there, too: the rest can be left to the next time. Default: never. */
  readonly isEnough?: () => boolean;
  /** Addresses of pods that come first, and are not left to the next time. Default: none. */
  readonly urgent?: ReadonlySet<Ip>;
  /** Called when those are done. */
  readonly afterUrgent?: () => void;
}

interface Entry {
  pod: LocalPod;
  /** Absent for pods without an address or an interface of their own. */
  row?: InterfaceRow;
}

export class InterfaceRows {
  readonly #parts: InterfaceParts;
  readonly #entries = new Map<ObjectKey, Entry>();
  #rows: readonly InterfaceRow[] = [];
  /** Since they were put together. */
  #changed = false;
  /** Both programs hang there, as we last saw. */
  #attached = new Set<number>();
  /** What is not asked for any more has not been taken away yet. */
  #unpruned = true;

  constructor(parts: InterfaceParts) {
    this.#parts = parts;
  }

  /** Sorted by pod. */
  rows(): readonly InterfaceRow[] {
    return this.#rows;
  }

  /** False when it was stopped: there are pods that have not been looked at. */
  async apply(pods: readonly LocalPod[], options: LookOptions): Promise<boolean> {
    const { recheck, isClosed, isEnough = () => false, urgent = NOBODY } = options;
    if (recheck) this.#attached = new Set(this.#parts.hooks.sweep());
    this.#changed = this.#forgetAllBut(pods) || this.#changed;
    const isUrgent = ({ addresses }: LocalPod) => addresses.some((address) => urgent.has(address));
    await this.#lookAtAll(pods.filter(isUrgent), recheck, isClosed);
    if (isClosed()) return false;
    this.#tellRows();
    options.afterUrgent?.();
    const others = pods.filter((pod) => !isUrgent(pod));
    const whole = await this.#lookAtAll(others, recheck, () => isClosed() || isEnough());
    this.#tellRows();
    return whole;
  }

  /** False when it was stopped before the last one. */
  async #lookAtAll(pods: readonly LocalPod[], recheck: boolean, isStopped: () => boolean): Promise<boolean> {
    for (const [i, pod] of pods.entries()) {
      const entry = this.#entries.get(pod.pod);
      if (entry !== undefined && !recheck && isSettled(entry, pod)) {
        entry.pod = pod;
        continue;
      }
      const before = this.#attached.size;
      this.#changed = this.#look(pod, entry) || this.#changed;
      if (this.#attached.size === before) continue;
      await setImmediate();
      if (isStopped()) return i === pods.length - 1;
    }
    return true;
  }

  #tellRows(): void {
    if (!this.#changed) return;
    this.#changed = false;
    const rows = [...this.#entries.values()].flatMap(({ row }) => (row === undefined ? [] : [row]));
    this.#rows = rows.sort((a, b) => (a.pod < b.pod ? -1 : 1));
  }

  /** Takes our programs from every interface that no pod has, and their addresses from the kernel. */
  prune(): void {
    if (!this.#unpruned) return;
    this.#unpruned = false;
    const addresses = [...this.#entries.values()].flatMap(({ pod }) => pod.addresses);
    this.#parts.endpoints.prune(new Set(addresses));
    const keep = new Set(this.#rows.map((row) => row.ifindex));
    for (const ifindex of this.#parts.hooks.ifindexes()) {
      if (keep.has(ifindex)) continue;
      this.#parts.hooks.detach(ifindex);
      this.#attached.delete(ifindex);
    }
  }

  #forgetAllBut(pods: readonly LocalPod[]): boolean {
    const wanted = new Set(pods.map(({ pod }) => pod));
    const gone = [...this.#entries.keys()].filter((pod) => !wanted.has(pod));
    for (const pod of gone) this.#entries.delete(pod);
    if (gone.length > 0) this.#unpruned = true;
    return gone.length > 0;
  }

  /** True when the pod's row is another one now. */
  #look(pod: LocalPod, entry: Entry | undefined): boolean {
    const previous = entry?.row;
    const address = pod.addresses[0];
    const row = address === undefined ? undefined : this.#reconcile(pod, address, previous);
    this.#entries.set(pod.pod, row === undefined ? { pod } : { pod, row });
    if (row?.ifindex !== previous?.ifindex || pod.addresses !== entry?.pod.addresses) this.#unpruned = true;
    return row !== previous;
  }

  #reconcile(pod: LocalPod, address: Ip, last: InterfaceRow | undefined): InterfaceRow | undefined {
    const previous = last?.address === address ? last : undefined;
    const base = { pod: pod.pod, address, permitted: pod.permitted ?? false };
    try {
      const { ifindex, ifname } = this.#parts.places.find(address);
      // The pod shares the node's namespace: there is no interface of its own to hang on.
      if (ifindex === 0) return undefined;
      const known = this.#attached.has(ifindex) ? this.#parts.hooks.status(ifindex) : undefined;
      const hook = known ?? this.#parts.hooks.attach(ifindex);
      this.#attached.add(ifindex);
      const redirects = pod.observeOnly !== true && (base.permitted || hook.order !== 'before');
      this.#parts.endpoints.write(pod.addresses, ifindex, redirects ? 0 : ENDPOINT_OBSERVE_ONLY);
      const changed = known === undefined || previous?.ifindex !== ifindex;
      const status = nextStatus(previous?.status, { changed }, this.#parts.now());
      const row = { ...base, ifindex, ifname, status, hook, redirects };
      return previous !== undefined && isSameRow(previous, row) ? previous : row;
    } catch (error) {
      const status = nextStatus(previous?.status, { error }, this.#parts.now());
      if (status.attempts === 1) this.#parts.log.warning(`datapath: pod ${pod.pod}: ${errorText(error)}`);
      const { ifindex = 0, ifname = '' } = previous ?? {};
      return { ...base, ifindex, ifname, status, redirects: false };
    }
  }
}

const NOBODY: ReadonlySet<Ip> = new Set();

function isSettled({ pod: known, row }: Entry, pod: LocalPod): boolean {
  if (row?.status.state === 'error') return false;
  if (known === pod) return true;
  return (
    (known.permitted ?? false) === (pod.permitted ?? false) &&
    (known.observeOnly ?? false) === (pod.observeOnly ?? false) &&
    known.addresses.length === pod.addresses.length &&
    known.addresses.every((address, i) => address === pod.addresses[i])
  );
}

function isSameRow(a: InterfaceRow, b: InterfaceRow): boolean {
  return (
    a.status === b.status &&
    a.ifname === b.ifname &&
    a.hook === b.hook &&
    a.permitted === b.permitted &&
    a.redirects === b.redirects
  );
}
