/**
 * What a node cache sets up on its node, and takes down again: the interface before the server starts, the rules once it
 * answers, both looked after at every interval. Rules come last and go first, so that no packet is steered to nobody.
 * One thing at a time: what is asked for meanwhile waits. Everything that can fail here leaves DNS being served.
 */
import { randomUUID } from 'node:crypto';
import { errorText } from '../../fault/app-error.ts';
import { type Ip, ipFamily } from '../../net/ip.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { chooseFilter, legacyTablesInUse, programInPath } from '../filter/choose-filter.ts';
import type { FilterReport, PacketFilter } from '../filter/packet-filter.ts';
import { type NodeRule, type RuleSpec, rulesFor } from '../filter/rules.ts';
import { runSteps, runStepsNow, type Steps, type StepsLimits } from '../filter/steps.ts';
import { Claims } from './claims.ts';
import { Device } from './device.ts';

export type SetupErrorType = 'iptables' | 'iptables_lock' | 'interface_add' | 'interface_check';

export interface NodeSetupSpec {
  readonly localIps: readonly Ip[];
  readonly port: number;
  readonly healthPort: number;
  readonly interfaceName: string;
  readonly setupInterface: boolean;
  readonly setupIptables: boolean;
  readonly skipTeardown: boolean;
  readonly syncIntervalSeconds: number;
}

export interface NodeSetupOptions {
  readonly spec: NodeSetupSpec;
  readonly clock: Clock;
  readonly log: () => Log;
  readonly failed: (type: SetupErrorType) => void;
  /** Where programs are looked for: the variable PATH. */
  readonly path: string;
}

/** The kubelet waits thirty seconds; lameduck and listeners want some of them. */
const TEARDOWN_MS = 12_000;
const LOCK_RETRY_MS = 20;
const MAX_LOCK_WAIT_MS = 5000;
const ID_LENGTH = 8;

export class NodeSetup {
  readonly #options: NodeSetupOptions;
  readonly #claims: Claims;
  readonly #device: Device;
  readonly #rules: readonly NodeRule[];
  readonly #report: FilterReport;
  #filter: PacketFilter | undefined;
  /** What an earlier run left has been looked for. */
  #isCleared = false;
  /** The node has no rule of any node cache, unless another has added some since. */
  #isBare = false;
  #timer: Timer | undefined;
  #work: Promise<void> = Promise.resolve();
  #phase: 'starting' | 'serving' | 'ending' | 'ended' = 'starting';

  constructor(options: NodeSetupOptions) {
    const { spec, log, failed } = options;
    this.#options = options;
    this.#claims = new Claims(spec.interfaceName, randomUUID().slice(0, ID_LENGTH), spec.port);
    this.#device = new Device({ name: spec.interfaceName, ips: spec.localIps, log, failed });
    this.#rules = ruleSpecs(spec).flatMap(rulesFor);
    this.#report = { log, failed, interfaceName: spec.interfaceName };
  }

  /** Before the server starts. Rules of an earlier run are cleared beside that; nobody answers what they bring. */
  async begin(): Promise<void> {
    const { spec } = this.#options;
    const unlock = await this.#lock();
    try {
      if (spec.setupInterface) this.#beginDevice();
    } finally {
      unlock();
    }
    if (spec.setupIptables) this.#enqueue(() => this.#drive(this.#clearLeftRules()));
  }

  /** The sockets are open: the rules may come. */
  serving(): void {
    if (this.#phase !== 'starting') return;
    this.#phase = 'serving';
    const { setupIptables } = this.#options.spec;
    if (setupIptables) this.#attempt('iptables', () => this.#claims.holdRules(ruleSpecs(this.#options.spec)));
    this.#checkAgain();
  }

  /** Takes everything down, within a bounded time. */
  async end(): Promise<void> {
    if (!this.#beginEnd()) return;
    // What is running sees the phase before its next command.
    await this.#work;
    const unlock = await this.#lock();
    await runSteps(this.#tearDown(), this.#teardownLimits());
    unlock();
    this.#finishEnd();
  }

  /**
   * Resolves when what was found here has been looked through and what is wanted is there. Until then an instance that is
   * taken over from must keep its claims: what nobody claims is removed, and made anew.
   */
  settled(): Promise<void> {
    return this.#work;
  }

  /** Another instance answers with our sockets: what is set up is its own from now on, and nothing is taken down. */
  handOver(): void {
    if (this.#isEnding()) return;
    this.#phase = 'ended';
    this.#timer?.cancel();
    this.#claims.release();
  }

  /** The same while the process exits, when nothing asynchronous comes back: blocks. */
  endNow(): void {
    if (this.#phase === 'ended') return;
    if (this.#phase !== 'ending' && !this.#beginEnd()) return;
    runStepsNow(this.#tearDown(), this.#teardownLimits());
    this.#finishEnd();
  }

  #beginDevice(): void {
    this.#attempt('interface_add', () => {
      this.#claims.holdAddresses(this.#options.spec.localIps);
      const others = this.#claims.others();
      this.#device.repair((ip) => others.address(ip));
      this.#device.ensure();
    });
  }

  #checkAgain(): void {
    const { spec, clock } = this.#options;
    if (this.#phase !== 'serving') return;
    this.#enqueue(async () => {
      if (spec.setupIptables && !this.#isCleared) await this.#drive(this.#clearLeftRules());
      if (spec.setupIptables) await this.#drive(this.#ensureRules());
      if (spec.setupInterface) this.#attempt('interface_check', () => this.#device.ensure());
      this.#timer = clock.after(spec.syncIntervalSeconds * 1000, () => this.#checkAgain());
    });
  }

  #enqueue(run: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#phase === 'starting' || this.#phase === 'serving') await run();
    });
  }

  /** Ends early when the process is told to end. */
  async #drive(steps: Steps<void>): Promise<void> {
    const unlock = await this.#lock();
    try {
      await runSteps(steps, { leftMs: () => (this.#isEnding() ? 0 : Number.POSITIVE_INFINITY) });
    } finally {
      unlock();
    }
  }

  *#useFilter(): Steps<PacketFilter | undefined> {
    const { path, log, spec } = this.#options;
    if (this.#filter !== undefined) return this.#filter;
    this.#filter = yield* chooseFilter({
      families: new Set(spec.localIps.map(ipFamily)),
      report: this.#report,
      hasProgram: programInPath(path),
      legacyTables: legacyTablesInUse,
    });
    if (this.#filter !== undefined) log().info(`Using ${this.#filter.name} for the rules`);
    return this.#filter;
  }

  *#ensureRules(): Steps<void> {
    const { log, failed, path } = this.#options;
    const filter = yield* this.#useFilter();
    if (filter !== undefined) {
      if (this.#isBare && !this.#isUsedByOthers()) yield* filter.insert(this.#rules);
      this.#isBare = false;
      return yield* filter.ensure(this.#rules);
    }
    log().error(`Error checking/adding iptables rules, error - found neither iptables nor nft in ${path}`);
    failed('iptables');
  }

  /**
   * Whatever rules of node caches there are that nobody else uses: those of a run that was killed. Those that we want
   * are among them and are made anew, because there may be two of each.
   */
  *#clearLeftRules(): Steps<void> {
    const filter = yield* this.#useFilter();
    if (filter === undefined) return;
    const listed = yield* filter.list();
    if (listed === undefined) return;
    this.#isCleared = true;
    const others = this.#claims.others();
    const left = listed.filter((rule) => !others.rule(rule));
    const notRemoved = yield* this.#removeLeft(filter, left);
    this.#isBare = left.length === listed.length && notRemoved.length === 0;
  }

  *#removeLeft(filter: PacketFilter, left: readonly NodeRule[]): Steps<readonly NodeRule[]> {
    if (left.length === 0) return [];
    const notRemoved = yield* filter.remove(left);
    this.#options.log().info(`Removed ${left.length} rules that an earlier run left behind`);
    return notRemoved;
  }

  #isUsedByOthers(): boolean {
    const others = this.#claims.others();
    return this.#rules.some((rule) => others.rule(rule));
  }

  *#tearDown(): Steps<void> {
    const { spec } = this.#options;
    const others = this.#claims.others();
    if (spec.setupIptables && this.#filter !== undefined) {
      yield* this.#filter.remove(this.#rules.filter((rule) => !others.rule(rule)));
    }
  }

  /** Says whether there is anything to take down. */
  #beginEnd(): boolean {
    if (this.#isEnding()) return false;
    const { spec, log } = this.#options;
    const wasServing = this.#phase === 'serving';
    this.#phase = 'ending';
    this.#timer?.cancel();
    if (spec.skipTeardown) {
      this.#phase = 'ended';
      this.#claims.release();
      return false;
    }
    log().info('Tearing down');
    if (wasServing) log().warning('Exiting iptables/interface check goroutine');
    this.#claims.release();
    return true;
  }

  /** The interface goes also when the time was too short for the rules. */
  #finishEnd(): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    if (!this.#options.spec.setupInterface) return;
    this.#attempt('interface_check', () => this.#device.remove(this.#claims.others()));
  }

  #teardownLimits(): StepsLimits {
    const { clock, log } = this.#options;
    const endMs = clock.monotonicMs() + TEARDOWN_MS;
    return {
      leftMs: () => {
        const leftMs = endMs - clock.monotonicMs();
        if (leftMs <= 0) log().error(`Failed deleting iptables rules: gave up after ${TEARDOWN_MS / 1000} s`);
        return leftMs;
      },
    };
  }

  #isEnding(): boolean {
    return this.#phase === 'ending' || this.#phase === 'ended';
  }

  /** Another instance that holds it for long is stuck: then it is better to go on without. */
  async #lock(): Promise<() => void> {
    const { clock } = this.#options;
    const endMs = clock.monotonicMs() + MAX_LOCK_WAIT_MS;
    while (clock.monotonicMs() < endMs) {
      const unlock = this.#tryLock();
      if (unlock !== undefined) return unlock;
      await new Promise<void>((resolve) => clock.after(LOCK_RETRY_MS, resolve));
    }
    this.#options.log().warning('Another node cache is setting up this node and does not come to an end');
    return () => undefined;
  }

  #tryLock(): (() => void) | undefined {
    try {
      return this.#claims.tryLock();
    } catch (error) {
      this.#options.log().warning(`Cannot see other node caches on this node: ${errorText(error)}`);
      return () => undefined;
    }
  }

  #attempt(type: SetupErrorType, run: () => void): void {
    const { log, failed, spec } = this.#options;
    try {
      run();
    } catch (error) {
      const what =
        type === 'interface_add' ? 'Failed to add non-existent interface' : 'Error checking dummy device';
      log().error(`${what} ${spec.interfaceName} - ${errorText(error)}`);
      failed(type);
    }
  }
}

function ruleSpecs({ localIps, port, healthPort }: NodeSetupSpec): readonly RuleSpec[] {
  return localIps.map((ip) => ({ ip, port, healthPort }));
}
