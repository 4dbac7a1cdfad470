/** What hangs our programs on interfaces, whatever the kernel has for that: the contract of its two ways. */

export type HookKind = 'tcx' | 'clsact';
/** Where we want to be among the owners of one hook. */
export type HookOrder = 'last' | 'first';

/** Another program at an interface where ours hangs. */
export interface HookOwner {
  readonly kind: HookKind;
  /** As the kernel has it; `program <id>` where it has none. */
  readonly name: string;
  /** Of the program; 0 where the kernel does not tell. */
  readonly id: number;
  /** Of the filter; clsact only. Smaller runs first. */
  readonly priority?: number;
  /** in: packets that leave the pod. out: packets that go to it. */
  readonly direction: 'in' | 'out';
  /** Whether it sees a packet before we do. */
  readonly ahead: boolean;
}

export interface HookStatus {
  readonly kind: HookKind;
  /**
   * `after`: all others run before us. `before`: at least one runs after us, so a packet that we redirect is one it never
   * sees.
   */
  readonly order: 'alone' | 'after' | 'before';
  readonly others: readonly HookOwner[];
}

export interface HookSet {
  /**
   * Puts both programs on the interface, or the current ones in the place of older ones, and where `order` wants them.
   * Idempotent. Throws an `AppError` that names what the kernel lacks, or SYS_CALL_FAILED when the interface is gone.
   */
  attach(ifindex: number): HookStatus;
  /** As last seen; undefined where nothing of ours hangs. */
  status(ifindex: number): HookStatus | undefined;
  detach(ifindex: number): void;
  /** Interfaces with anything of ours, in ascending order. */
  ifindexes(): readonly number[];
  /** Swaps the programs of everything that an earlier process left, and removes what is left of interfaces that are gone. */
  inherit(): void;
  /** Removes what is left of interfaces that are gone; returns those that have both programs. */
  sweep(): readonly number[];
  /** Called with the interfaces whose status has changed: owners that came, went or moved. */
  onChange(listener: (ifindexes: readonly number[]) => void): void;
  /** Lets go of sockets and timers; what hangs on interfaces stays. */
  close(): void;
}
