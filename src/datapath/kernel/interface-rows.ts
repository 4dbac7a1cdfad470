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
import type { HookSet, HookStatus } from '../hooks/hook-set.ts';
import type { PodPlaces } from '../place/pod-places.ts';
import { nextStatus } from '../row-status.ts';
import { ENDPOINT_ANSWERED, ENDPOINT_OBSERVE_ONLY } from './abi.gen.ts';
import type { EndpointTable } from './endpoint-table.ts';

export interface InterfaceParts {
  readonly places: PodPlaces;
  readonly hooks: HookSet;
  readonly endpoints: EndpointTable;
  readonly log: Pick<Log, 'warning'>;
  readonly now: () => number;
  /** Addresses of backends beside the urgent ones, as they are at this moment. Default: nobody's. */
  readonly serving?: () => ReadonlySet<Ip>;
}

export interface LookOptions {
  /** Interfaces, or who else hangs on them, may have changed. */
  readonly recheck: boolean;
  /** Asked after each interface that was attached to: from then on nothing may be touched. */
  readonly isClosed: () => boolean;
  /** Asked there, too: the rest can be left to the next time. Default: never. */
  readonly isEnough?: () => boolean;
  /** Addresses of backends: their pods come first, and are not left to the next time. Default: none. */
  readonly urgent?: ReadonlySet<Ip>;
  /** Called when those are done. */
  readonly afterUrgent?: () => void;
}

interface Entry {
  pod: LocalPod;
  /** One of its addresses is a backend's. */
  readonly serves: boolean;
  /** Absent for pods without an address or an interface of their own. */
  row?: InterfaceRow;
}

interface Round {
  readonly recheck: boolean;
  readonly urgent: ReadonlySet<Ip>;
  readonly isClosed: () => boolean;
  readonly isEnough: () => boolean;
}

type Wanted = Pick<Entry, 'pod' | 'serves'>;

export class InterfaceRows {
  readonly #parts: InterfaceParts;
  readonly #entries = new Map<ObjectKey, Entry>();
  #rows: readonly InterfaceRow[] = [];
  /** Since they were put together. */
  #changed = false;
  /** Both programs hang there, as we last saw. */
  #attached = new Set<number>();
  /** Counts, so that a turn is given up after one that failed, too. */
  #attempts = 0;
  /** Addresses that may be answered by the newest word, which may be newer than what is being applied. Undefined: no word yet. */
  #answered: ReadonlySet<Ip> | undefined;
  /** What is not asked for any more has not been taken away yet. */
  #unpruned = true;

  constructor(parts: InterfaceParts) {
    this.#parts = parts;
  }

  /** Sorted by pod. */
  rows(): readonly InterfaceRow[] {
    return this.#rows;
  }

  /**
   * Takes answers from all that `pods` does not give them to, at once, and keeps an `apply` that is going on for older ones
   * from giving them. `everybody`: whoever is not among them has gone; else those that were never heard of here keep theirs.
   */
  restrictAnswers(pods: readonly LocalPod[], everybody: boolean): void {
    const addressesOf = (some: readonly LocalPod[]) => some.flatMap(({ addresses }) => addresses);
    const answered = new Set(addressesOf(pods.filter(({ answers }) => answers === true)));
    for (const address of addressesOf(pods.filter(({ answers }) => answers !== true)))
      answered.delete(address);
    this.#answered = answered;
    const known = new Set(addressesOf([...pods, ...[...this.#entries.values()].map(({ pod }) => pod)]));
    const { endpoints } = this.#parts;
    const losing = endpoints
      .having(ENDPOINT_ANSWERED)
      .filter((address) => !answered.has(address) && (everybody || known.has(address)));
    if (losing.length === 0) return;
    endpoints.clear(losing, ENDPOINT_ANSWERED);
    for (const entry of this.#entries.values()) {
      entry.pod = this.#asNewest(entry.pod);
      if (entry.row?.answers !== true || entry.pod.answers === true) continue;
      entry.row = { ...entry.row, answers: false };
      this.#changed = true;
    }
    this.#tellRows();
  }

  /** False when it was stopped: there are pods that have not been looked at. */
  async apply(pods: readonly LocalPod[], options: LookOptions): Promise<boolean> {
    const { recheck, isClosed, isEnough = () => false, urgent = NOBODY } = options;
    if (recheck) this.#attached = new Set(this.#parts.hooks.sweep());
    this.#changed = this.#forgetAllBut(pods) || this.#changed;
    const isUrgent = ({ addresses }: LocalPod) => addresses.some((address) => urgent.has(address));
    await this.#lookAtAll(pods.filter(isUrgent), { recheck, urgent, isClosed, isEnough: () => false });
    if (isClosed()) return false;
    this.#tellRows();
    options.afterUrgent?.();
    const others = pods.filter((pod) => !isUrgent(pod));
    const whole = await this.#lookAtAll(others, { recheck, urgent, isClosed, isEnough });
    this.#tellRows();
    return whole;
  }

  /** False when it was stopped before the last one. */
  async #lookAtAll(pods: readonly LocalPod[], round: Round): Promise<boolean> {
    const { recheck, urgent, isClosed, isEnough } = round;
    const serving = new Set([...urgent, ...(this.#parts.serving?.() ?? NOBODY)]);
    for (const [i, asked] of pods.entries()) {
      const pod = this.#asNewest(asked);
      const entry = this.#entries.get(pod.pod);
      const serves = pod.addresses.some((address) => serving.has(address));
      if (entry?.serves === serves && !recheck && isSettled(entry, pod)) {
        entry.pod = pod;
        continue;
      }
      const before = { attempts: this.#attempts, attached: this.#attached.size };
      this.#changed = this.#look({ pod, serves }, entry) || this.#changed;
      if (this.#attempts === before.attempts) continue;
      await setImmediate();
      // One that always fails must not be the last of every round, or those behind it would never get theirs.
      const isFurther = this.#attached.size > before.attached;
      if (isClosed() || (isFurther && isEnough())) return i === pods.length - 1;
    }
    return true;
  }

  /** Without answers that a newer word has taken from it. */
  #asNewest(pod: LocalPod): LocalPod {
    const answered = this.#answered;
    if (pod.answers !== true || answered === undefined) return pod;
    return pod.addresses.every((address) => answered.has(address)) ? pod : { ...pod, answers: false };
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
  #look({ pod, serves }: Wanted, entry: Entry | undefined): boolean {
    const previous = entry?.row;
    const address = pod.addresses[0];
    const row = address === undefined ? undefined : this.#reconcile({ pod, serves }, address, previous);
    this.#entries.set(pod.pod, row === undefined ? { pod, serves } : { pod, serves, row });
    if (row?.ifindex !== previous?.ifindex || pod.addresses !== entry?.pod.addresses) this.#unpruned = true;
    return row !== previous;
  }

  #reconcile({ pod, serves }: Wanted, address: Ip, last: InterfaceRow | undefined): InterfaceRow | undefined {
    const previous = last?.address === address ? last : undefined;
    const base = { pod: pod.pod, address, permitted: pod.permitted ?? false };
    try {
      const { ifindex, ifname } = this.#parts.places.find(address);
      // The pod shares the node's namespace: there is no interface of its own to hang on.
      if (ifindex === 0) return undefined;
      const known = this.#attached.has(ifindex) ? this.#parts.hooks.status(ifindex) : undefined;
      const hook = known ?? this.#attach(ifindex);
      this.#attached.add(ifindex);
      const redirects = pod.observeOnly !== true && (base.permitted || hook.order !== 'before');
      const answers = pod.answers === true && redirects && !serves;
      const flags = (redirects ? 0 : ENDPOINT_OBSERVE_ONLY) | (answers ? ENDPOINT_ANSWERED : 0);
      this.#parts.endpoints.write(pod.addresses, ifindex, flags);
      const changed = known === undefined || previous?.ifindex !== ifindex;
      const status = nextStatus(previous?.status, { changed }, this.#parts.now());
      const row = { ...base, ifindex, ifname, status, hook, redirects, answers };
      return previous !== undefined && isSameRow(previous, row) ? previous : row;
    } catch (error) {
      const status = nextStatus(previous?.status, { error }, this.#parts.now());
      if (status.attempts === 1) this.#parts.log.warning(`datapath: pod ${pod.pod}: ${errorText(error)}`);
      const { ifindex = 0, ifname = '' } = previous ?? {};
      return { ...base, ifindex, ifname, status, redirects: false, answers: this.#silence(pod) };
    }
  }

  /** Of a pod that could not be looked at nothing that it had before counts. True if it is answered still: this can fail, too. */
  #silence({ pod, addresses }: LocalPod): boolean {
    try {
      this.#parts.endpoints.clear(addresses, ENDPOINT_ANSWERED);
      return false;
    } catch (error) {
      this.#parts.log.warning(`datapath: pod ${pod} is still answered: ${errorText(error)}`);
      return true;
    }
  }

  #attach(ifindex: number): HookStatus {
    this.#attempts++;
    return this.#parts.hooks.attach(ifindex);
  }
}

const NOBODY: ReadonlySet<Ip> = new Set();

function isSettled({ pod: known, row }: Entry, pod: LocalPod): boolean {
  if (row?.status.state === 'error') return false;
  if (known === pod) return true;
  return (
    (known.permitted ?? false) === (pod.permitted ?? false) &&
    (known.observeOnly ?? false) === (pod.observeOnly ?? false) &&
    (known.answers ?? false) === (pod.answers ?? false) &&
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
    a.redirects === b.redirects &&
    a.answers === b.answers
  );
}
