/**
 * The hooks of the network namespace this thread is in. Where we hang is decided per interface and direction; who else
 * hangs there is looked at again when the kernel tells of a change (filters, links that go), and for TCX, of which it tells
 * nothing, now and then: soon after an interface came, since that is when others come, and seldom later.
 */
import { errorText } from '../../fault/app-error.ts';
import { hookChangeIfindex } from '../../sys/hook/filters.ts';
import { hasTcx, programId } from '../../sys/hook/tcx.ts';
import { decodeLink, findLink, RTM_DELLINK } from '../../sys/netlink/links.ts';
import { NetlinkWatch, RTNETLINK_GROUP } from '../../sys/netlink/watch.ts';
import { type Clock, type Timer, untilTick } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { HookKind, HookOrder, HookSet, HookStatus } from './hook-set.ts';
import { type DirectionSpec, readChain, removeAll, settle, tcxSignature } from './hooked-direction.ts';
import { filteredIfindexes, forgetQdisc, markersBeside } from './own-filter.ts';
import { pinnedIfindexes } from './pinned-link.ts';
import { statusOf } from './placement.ts';

export interface HookSetOptions {
  /** On a bpffs: where TCX links are pinned, as `<ifindex>-in` and `<ifindex>-out`. */
  readonly directory: string;
  /** Descriptors of `from_endpoint` and `to_endpoint`; they stay the caller's. */
  readonly programs: ReadonlyMap<string, number>;
  /** Default: `last`. */
  readonly order?: HookOrder;
  /** For tests: nothing else. Default: TCX where the kernel has it, clsact where it has not or others make it better. */
  readonly only?: HookKind;
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'warning' | 'error'>;
}

/** Finds what an earlier process left, and changes nothing yet. Throws SYS_CALL_FAILED. */
export function openHookSet(options: HookSetOptions): HookSet {
  return new KernelHookSet(options);
}

const DIRECTIONS = ['in', 'out'] as const;
const PROGRAM_NAMES = { in: 'from_endpoint', out: 'to_endpoint' } as const;
/** How long a change that the kernel tells of can lie in the socket. */
const TICK_MS = 50;
/** How often a chain of TCX is looked at: in its first seconds, and later. */
const LOOK_MS = { young: 250, old: 2000 } as const;
const YOUNG_MS = 10_000;
/** Between two moves on one interface, doubling: another owner may want our place as much as we do. */
const MOVE_PAUSE_MS = { first: 1000, most: 60_000 } as const;

interface Hooked {
  status: HookStatus | undefined;
  signature: string;
  readonly sinceMs: number;
  lookAtMs: number;
  moves: number;
  mayMoveAtMs: number;
  /** In the wrong place, and not allowed to move before this. */
  retryAtMs: number;
  dirty: boolean;
  error: string | undefined;
}

class KernelHookSet implements HookSet {
  readonly #options: HookSetOptions;
  readonly #rules: DirectionSpec['rules'];
  readonly #markers: string;
  readonly #programs: Readonly<Record<'in' | 'out', DirectionSpec['program']>>;
  readonly #watch: NetlinkWatch;
  readonly #hooked = new Map<number, Hooked>();
  #listeners: readonly ((ifindexes: readonly number[]) => void)[] = [];
  #timer: Timer | undefined;
  #error: string | undefined;
  #closed = false;

  constructor(options: HookSetOptions) {
    this.#options = options;
    const known: readonly HookKind[] = hasTcx() ? ['tcx', 'clsact'] : ['clsact'];
    this.#rules = {
      order: options.order ?? 'last',
      kinds: options.only === undefined ? known : [options.only],
    };
    this.#markers = markersBeside(options.directory);
    this.#programs = { in: programOf(options, 'in'), out: programOf(options, 'out') };
    this.#watch = new NetlinkWatch({ groups: [RTNETLINK_GROUP.LINK, RTNETLINK_GROUP.TC] });
    for (const ifindex of new Set([...pinnedIfindexes(options.directory), ...filteredIfindexes()]))
      this.#hooked.set(ifindex, this.#fresh());
    this.#tick();
  }

  attach(ifindex: number): HookStatus {
    this.#hear();
    const known = this.#hooked.get(ifindex);
    if (known?.status !== undefined && !known.dirty && known.error === undefined) return known.status;
    const hooked = known ?? this.#fresh();
    this.#hooked.set(ifindex, hooked);
    try {
      this.#bring(ifindex, hooked);
    } catch (error) {
      if (findLink(ifindex) === undefined) this.detach(ifindex);
      throw error;
    }
    if (hooked.status === undefined)
      throw new Error(`Nothing hangs on interface ${ifindex} after attaching to it`);
    return hooked.status;
  }

  status(ifindex: number): HookStatus | undefined {
    return this.#hooked.get(ifindex)?.status;
  }

  detach(ifindex: number): void {
    for (const direction of DIRECTIONS) removeAll(this.#spec(ifindex, direction));
    forgetQdisc(ifindex, this.#markers);
    this.#hooked.delete(ifindex);
  }

  ifindexes(): readonly number[] {
    return [...this.#hooked.keys()].sort((a, b) => a - b);
  }

  inherit(): void {
    for (const ifindex of this.ifindexes()) {
      if (findLink(ifindex) === undefined) this.detach(ifindex);
      else this.attach(ifindex);
    }
  }

  sweep(): readonly number[] {
    this.#hear();
    return this.ifindexes().filter((ifindex) => this.#hooked.get(ifindex)?.status !== undefined);
  }

  onChange(listener: (ifindexes: readonly number[]) => void): void {
    if (!this.#closed) this.#listeners = [...this.#listeners, listener];
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listeners = [];
    this.#timer?.cancel();
    this.#watch.close();
  }

  #tick(): void {
    const { clock } = this.#options;
    this.#timer = clock.after(untilTick(clock, TICK_MS), () => {
      if (this.#closed) return;
      this.#tick();
      this.#lookOrTell();
    });
  }

  /** The kernel may refuse once (no memory, no descriptor): said once, and tried again at the next tick. */
  #lookOrTell(): void {
    try {
      this.#look();
      this.#error = undefined;
    } catch (error) {
      const text = errorText(error);
      if (this.#error !== text) this.#options.log.error(`datapath: ${text}`);
      this.#error = text;
      // Of what was told, the rest has gone with the attempt.
      for (const hooked of this.#hooked.values()) hooked.dirty = true;
    }
  }

  #look(): void {
    this.#hear();
    const nowMs = this.#now();
    const changed: number[] = [];
    for (const [ifindex, hooked] of this.#hooked) {
      if (hooked.status === undefined && hooked.error === undefined) continue;
      if (nowMs >= hooked.lookAtMs) this.#lookAtTcx(ifindex, hooked, nowMs);
      if (nowMs >= hooked.retryAtMs) hooked.dirty = true;
      if (hooked.dirty && this.#again(ifindex, hooked)) changed.push(ifindex);
    }
    if (changed.length > 0) for (const listener of this.#listeners) listener(changed);
  }

  #lookAtTcx(ifindex: number, hooked: Hooked, nowMs: number): void {
    hooked.lookAtMs = nowMs + (nowMs - hooked.sinceMs < YOUNG_MS ? LOOK_MS.young : LOOK_MS.old);
    if (signatureOf(ifindex) !== hooked.signature) hooked.dirty = true;
  }

  /** True when the status is another one now. What fails is told once, and tried again now and then. */
  #again(ifindex: number, hooked: Hooked): boolean {
    const before = hooked.status;
    try {
      this.#bring(ifindex, hooked);
    } catch (error) {
      const text = errorText(error);
      if (hooked.error !== text) this.#options.log.warning(`datapath: interface ${ifindex}: ${text}`);
      hooked.error = text;
      hooked.dirty = false;
      hooked.retryAtMs = this.#now() + LOOK_MS.old;
      hooked.status = this.#statusIfTold(ifindex);
    }
    return hooked.status !== before;
  }

  #statusIfTold(ifindex: number): HookStatus | undefined {
    try {
      return this.#statusNow(ifindex);
    } catch {
      // Why has been said already, of the attempt to put it right.
      return undefined;
    }
  }

  #bring(ifindex: number, hooked: Hooked): void {
    const nowMs = this.#now();
    const mayMove = nowMs >= hooked.mayMoveAtMs;
    const moved = DIRECTIONS.map((direction) => settle(this.#spec(ifindex, direction), mayMove));
    if (moved.includes(true)) {
      const { first, most } = MOVE_PAUSE_MS;
      hooked.mayMoveAtMs = nowMs + Math.min(most, first * 2 ** hooked.moves++);
    }
    const status = this.#statusNow(ifindex);
    // The same object while it says the same: whoever compares by `===` has nothing to do.
    if (JSON.stringify(status) !== JSON.stringify(hooked.status)) hooked.status = status;
    hooked.signature = signatureOf(ifindex);
    hooked.error = undefined;
    hooked.dirty = false;
    const misplaced = hooked.status !== undefined && this.#isMisplaced(hooked.status);
    hooked.retryAtMs = misplaced
      ? Math.max(nowMs, hooked.mayMoveAtMs) + LOOK_MS.old
      : Number.POSITIVE_INFINITY;
  }

  #isMisplaced({ others }: HookStatus): boolean {
    return others.some(({ ahead }) => ahead === (this.#rules.order === 'first'));
  }

  #statusNow(ifindex: number): HookStatus | undefined {
    const [chainIn, chainOut] = [this.#spec(ifindex, 'in'), this.#spec(ifindex, 'out')].map(readChain);
    return statusOf({ in: chainIn ?? [], out: chainOut ?? [] });
  }

  /** Takes in what the kernel told: interfaces that are gone, and hooks that changed. */
  #hear(): void {
    if (this.#closed) return;
    const gone = new Set<number>();
    const complete = this.#watch.drain(({ type, payload }) => {
      const changed = hookChangeIfindex(type, payload);
      const hooked = changed === undefined ? undefined : this.#hooked.get(changed);
      if (hooked !== undefined) hooked.dirty = true;
      const ifindex = type === RTM_DELLINK ? decodeLink(payload)?.ifindex : undefined;
      if (ifindex !== undefined && this.#hooked.has(ifindex)) gone.add(ifindex);
    });
    if (!complete)
      for (const [ifindex, hooked] of this.#hooked) {
        hooked.dirty = true;
        gone.add(ifindex);
      }
    for (const ifindex of gone) if (findLink(ifindex) === undefined) this.detach(ifindex);
  }

  #spec(ifindex: number, direction: 'in' | 'out'): DirectionSpec {
    const { directory } = this.#options;
    const program = this.#programs[direction];
    return { ifindex, direction, directory, markers: this.#markers, rules: this.#rules, program };
  }

  #fresh(): Hooked {
    const sinceMs = this.#now();
    const pace = {
      sinceMs,
      lookAtMs: sinceMs + LOOK_MS.young,
      moves: 0,
      mayMoveAtMs: sinceMs,
      retryAtMs: Number.POSITIVE_INFINITY,
    };
    return { ...pace, status: undefined, signature: '', dirty: true, error: undefined };
  }

  #now(): number {
    return this.#options.clock.monotonicMs();
  }
}

function signatureOf(ifindex: number): string {
  return DIRECTIONS.map((direction) => tcxSignature(ifindex, direction)).join(' ');
}

function programOf({ programs }: HookSetOptions, direction: 'in' | 'out'): DirectionSpec['program'] {
  const fd = programs.get(PROGRAM_NAMES[direction]);
  if (fd === undefined) throw new Error(`No program ${PROGRAM_NAMES[direction]}`);
  return { fd, id: programId(fd) };
}
