/**
 * A running server: one configuration in force, and the change-over to another without losing a query (dns-server 3.9).
 * A configuration that cannot be put into force leaves everything as it was. Knows no files, signals or flags.
 */
import type { Corefile } from '../corefile/ast.ts';
import type { BeatRow } from '../heartbeat/beat-map.ts';
import type { ListenerView } from '../heartbeat/messages.ts';
import type { SocketAddress } from '../server/handler.ts';
import type { InheritedSockets } from '../server/inherited-sockets.ts';
import { type ClusterSource, shareWatches } from './cluster-source.ts';
import type { ServeEnvironment } from './environment.ts';
import { Generation } from './generation.ts';
import { HotAnswers, MAIN_THREAD } from './hot/hot-answers.ts';
import type { KernelAnswers } from './hot/kernel-answers.ts';
import { HttpHub } from './http-hub.ts';
import { type BoundListener, ListenerSet } from './listener-set.ts';
import { ServeMetrics } from './serve-metrics.ts';

/** What a first start may have from the process before it. */
export interface Inheritance {
  readonly sockets: InheritedSockets;
  /** Between the start of the plugins and that of the listeners. */
  readonly beforeServing: (next: Generation) => Promise<void>;
}

export class DnsServer {
  readonly metrics: ServeMetrics;
  readonly #environment: ServeEnvironment;
  readonly #listeners: ListenerSet;
  readonly #http: HttpHub;
  readonly #hot: HotAnswers;
  #current: Generation | undefined;
  #bound: readonly BoundListener[] = [];
  /** Changes happen one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(environment: ServeEnvironment) {
    const log = environment.log('');
    let cluster: Promise<ClusterSource> | undefined;
    this.#environment = {
      ...environment,
      loadCluster() {
        cluster ??= environment.loadCluster().then(shareWatches);
        return cluster;
      },
    };
    this.metrics = new ServeMetrics(environment.metrics);
    this.#http = new HttpHub((text) => log.warning(text), { reusePort: environment.sharesPages === true });
    const { clock, metrics, answers: cache, udp = MAIN_THREAD } = environment;
    this.#hot = new HotAnswers({ ...udp, cache, log, clock, metrics });
    this.#listeners = new ListenerSet({
      log,
      clock,
      udp: this.#hot.udp,
      numberOf: (server) => this.#hot.numberOf(server),
      observer: (server) => this.metrics.observer(server),
    });
  }

  /** Throws before `start` succeeded. */
  get current(): Generation {
    if (this.#current === undefined) throw new Error('The server has not been started');
    return this.#current;
  }

  /** 0: the main thread reads datagrams itself. */
  get packetThreads(): number {
    return this.#hot.udp.threads;
  }

  /** Has the packet threads tell there that they live. */
  useBeats(row: BeatRow): Promise<void> {
    return this.#hot.udp.useBeats(row);
  }

  /** What is bound, with real ports. */
  get addresses(): readonly SocketAddress[] {
    return this.#bound.flatMap(({ addresses }) => addresses);
  }

  /** What the answer map of the kernel knows each of them by that is asked over UDP. */
  get views(): readonly ListenerView[] {
    return this.#hot.views;
  }

  /** See `HotAnswers`. */
  openKernelAnswers(): Promise<KernelAnswers | undefined> {
    return this.#hot.openKernelAnswers();
  }

  /** The first start as well as a change-over. Rejects with an `AppError`; then what was in force still is. */
  apply(corefile: Corefile, inheritance?: Inheritance): Promise<void> {
    const applied = this.#last.then(() => this.#apply(corefile, inheritance));
    this.#last = applied.catch(() => undefined);
    return applied;
  }

  /** Once a successor answers: nobody waits for it. */
  async retire(): Promise<void> {
    await this.#current?.shutDown();
  }

  /** Plugin callbacks, `final` ones included; the listeners go on answering. */
  async shutDownPlugins(): Promise<void> {
    // The caches of the blocks end empty, and the kernel would be told so.
    this.#hot.leaveShelf();
    try {
      await this.#current?.shutDown();
    } finally {
      await this.#current?.finalShutDown();
    }
  }

  /** Another process has the same sockets, or no longer: a listener that closes leaves them as they are. */
  share(isShared: boolean): void {
    this.#listeners.share(isShared);
    this.#http.share(isShared);
  }

  async closeListeners(): Promise<void> {
    await Promise.all([this.#listeners.close(), this.#http.close()]);
    await this.#hot.close();
  }

  async #apply(corefile: Corefile, inheritance: Inheritance | undefined): Promise<void> {
    const next = await Generation.prepare(corefile, this.#environment);
    const undo: (() => Promise<void>)[] = [() => next.shutDown()];
    try {
      const pages = await this.#http.prepare(next.pages, inheritance?.sockets);
      undo.unshift(() => pages.abandon());
      await next.start();
      await inheritance?.beforeServing(next);
      const sockets = await this.#listeners.prepare(
        next.listeners,
        (plan) => next.conduct(plan),
        inheritance?.sockets,
      );
      const previous = this.#current;
      this.#current = next;
      this.#bound = sockets.commit();
      pages.commit();
      this.metrics.describe(next);
      this.#environment.setDebug(next.debug);
      next.started(this.addresses);
      await this.#hot.publish(next, this.#bound);
      if (previous !== undefined) void this.#retire(previous);
    } catch (error) {
      for (const step of undo) await step();
      throw error;
    }
  }

  async #retire(previous: Generation): Promise<void> {
    try {
      await previous.retire();
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.#environment.log('').error(`Cannot end the previous configuration cleanly: ${text}`);
    }
  }
}
