/**
 * One configuration in force: the plugins of one Corefile, the chains made of them, the pages they serve and the watches
 * they opened. It owns no DNS sockets, which outlive it. Generations overlap during a reload: the new one is complete
 * before the old one is told to go.
 */
import type { Corefile } from '../corefile/ast.ts';
import type { Message } from '../dns/message.ts';
import type { Name } from '../dns/name.ts';
import { AppError } from '../fault/app-error.ts';
import { parseIp } from '../net/ip.ts';
import type { BlockInfo, Host, HttpAnswer } from '../plugins/contract.ts';
import { PLUGIN_ORDER } from '../plugins/order.ts';
import type { Query, SocketAddress } from '../server/handler.ts';
import type { ListenerConduct } from '../server/listener-options.ts';
import { findRoute, type Router, routerOf } from '../server/router.ts';
import { BlockBus } from './block-bus.ts';
import { composeChain, InFlight } from './chain.ts';
import { ClusterShare } from './cluster-source.ts';
import { conductOf, type LiveBlock } from './conduct.ts';
import type { ServeEnvironment } from './environment.ts';
import { type BlockPlan, planBlocks } from './plan/block-plan.ts';
import { type ListenerPlan, planListeners, serverLabel } from './plan/listener-plan.ts';
import { loadSetups, nameCulprit, type PluginRecord, setUpWord } from './plugin-setup.ts';
import { askAgain } from './self-query.ts';

/** How long a configuration that was replaced may take over its last queries. */
const DRAIN_MS = 5000;

export class Generation {
  readonly corefile: Corefile;
  readonly listeners: readonly ListenerPlan[];
  readonly records: readonly PluginRecord[];
  readonly pages = new Map<string, Map<string, HttpAnswer>>();
  readonly #blocks: readonly LiveBlock[];
  readonly #routers = new Map<string, Router>();
  readonly #inFlight = new InFlight();
  readonly #buses: readonly BlockBus[];
  readonly #echoedOptions = new Set<number>();
  readonly #cluster: ClusterShare | undefined;
  readonly #environment: ServeEnvironment;
  #isStarted = false;

  /** Loads and sets up every plugin; opens nothing but cluster watches. Throws an `AppError` and leaves nothing open. */
  static async prepare(corefile: Corefile, environment: ServeEnvironment): Promise<Generation> {
    const plans = planBlocks(corefile, environment.defaultPort);
    const setups = await loadSetups(corefile);
    const cluster = setups.has('kubernetes') ? new ClusterShare(await environment.loadCluster()) : undefined;
    try {
      return new Generation(corefile, environment, { plans, setups, cluster });
    } catch (error) {
      cluster?.close();
      throw error;
    }
  }

  private constructor(
    corefile: Corefile,
    environment: ServeEnvironment,
    parts: {
      plans: readonly BlockPlan[];
      setups: Awaited<ReturnType<typeof loadSetups>>;
      cluster: ClusterShare | undefined;
    },
  ) {
    this.corefile = corefile;
    this.#environment = environment;
    this.#cluster = parts.cluster;
    this.#buses = parts.plans.map(() => new BlockBus());
    this.records = this.#setUp(parts.plans, parts.setups);
    this.#blocks = parts.plans.map((_, block) => this.#composeBlock(block));
    for (const [block, bus] of this.#buses.entries()) bus.connect(this.#blocks[block]?.records ?? []);
    this.listeners = planListeners(
      parts.plans.map((plan, block) => ({
        plan,
        listenOn: boundAddresses(this.records, block) ?? [],
        hasView: this.#instances(block).some(({ instance }) => instance.view !== undefined),
        sockets: Math.max(1, ...this.#instances(block).map(({ instance }) => instance.sockets ?? 1)),
      })),
    );
    for (const plan of this.listeners) this.#routers.set(plan.server, routerOf(this.conduct(plan).routes));
  }

  /** In start order: whatever a plugin waits for, the listeners of this process are not open yet at a first start. */
  async start(): Promise<void> {
    for (const { word, instance } of this.records) {
      try {
        await instance.onStart?.();
      } catch (error) {
        throw nameCulprit(word, error);
      }
    }
  }

  started(addresses: readonly SocketAddress[]): void {
    this.#isStarted = true;
    for (const { instance } of this.records) instance.onStarted?.(addresses);
  }

  /** How one of `listeners` answers under this configuration. */
  conduct(plan: ListenerPlan): ListenerConduct {
    return conductOf(plan, { blocks: this.#blocks, keptOptions: this.#echoedOptions });
  }

  /** A block wants to see how the program works, and to have it end where it goes wrong. */
  get debug(): boolean {
    return this.records.some(({ instance }) => instance.debug === true);
  }

  /** The name of a block's view; empty without one. */
  viewName(block: number): string {
    return this.#instances(block).find(({ instance }) => instance.view)?.instance.view?.name ?? '';
  }

  /**
   * What the blocks with `ready` wait for, by plugin. Nothing is ready before the sockets are open: whoever believes it
   * sends queries at once.
   */
  readiness(): ReadonlyMap<string, boolean> {
    const asked = new Set(this.records.filter(({ word }) => word === 'ready').map(({ block }) => block));
    const ready = new Map<string, boolean>();
    for (const { word, block, instance } of this.records) {
      if (instance.ready === undefined || !asked.has(block)) continue;
      ready.set(word, (ready.get(word) ?? this.#isStarted) && instance.ready());
    }
    return ready;
  }

  /** The words of the chain of a block, in order. */
  chainWords(block: number): readonly string[] {
    return this.#instances(block)
      .filter(({ instance }) => instance.plugin !== undefined)
      .map(({ word }) => word);
  }

  uses(word: string): boolean {
    return this.records.some((record) => record.word === word);
  }

  /** After a successor took over: lets queries end, then tells the plugins. */
  async retire(): Promise<void> {
    const drained = Promise.withResolvers<void>();
    const timer = this.#environment.clock.after(DRAIN_MS, drained.resolve);
    await Promise.race([drained.promise, this.#inFlight.whenIdle()]);
    timer.cancel();
    await this.shutDown();
  }

  /** Every plugin is told, whatever the others do; the first failure is thrown afterwards. */
  async shutDown(): Promise<void> {
    await this.#tellAll(({ onShutdown }) => onShutdown?.()).finally(() => this.#cluster?.close());
  }

  /** As `shutDown`, once the process goes. */
  finalShutDown(): Promise<void> {
    return this.#tellAll(({ onFinalShutdown }) => onFinalShutdown?.());
  }

  async #tellAll(tell: (instance: PluginRecord['instance']) => void | Promise<void>): Promise<void> {
    const failures: unknown[] = [];
    for (const { instance } of this.records) {
      await Promise.try(() => tell(instance)).catch((error) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  #setUp(
    plans: readonly BlockPlan[],
    setups: Awaited<ReturnType<typeof loadSetups>>,
  ): readonly PluginRecord[] {
    const records: PluginRecord[] = [];
    const host = (word: string, block: number) =>
      this.#host(word, { block, directory: rootOf(records, block) ?? this.#environment.directory });
    for (const { word } of PLUGIN_ORDER) {
      const setup = setups.get(word);
      if (setup === undefined) continue;
      const blocks = plans.map((plan, block) => ({
        directives: plan.block.directives,
        info: blockInfo(plan, records, block),
      }));
      records.push(...setUpWord(word, setup, { blocks, host }));
    }
    return records;
  }

  #composeBlock(block: number): LiveBlock {
    const records = this.#instances(block);
    const links = records.flatMap(({ word, instance: { plugin } }) =>
      plugin === undefined ? [] : [{ word, plugin }],
    );
    const chain = composeChain(links);
    return { records, handler: chain && this.#inFlight.track(chain) };
  }

  #instances(block: number): readonly PluginRecord[] {
    return this.records.filter((record) => record.block === block);
  }

  #host(word: string, { block, directory }: { block: number; directory: string }): Host {
    const bus = this.#bus(block);
    const { log, metrics, clock, random, answers } = this.#environment;
    const own = log(`plugin/${word}: `);
    return {
      log: own,
      plainLog: log(''),
      metrics,
      clock,
      random,
      directory,
      answers,
      cluster: (need) => {
        if (this.#cluster === undefined) throw new Error(`plugin/${word} may not watch the cluster`);
        return this.#cluster.get(need, own);
      },
      http: (address, path, answer) => {
        const pages = this.pages.get(address) ?? new Map<string, HttpAnswer>();
        if (!pages.has(path)) pages.set(path, answer);
        this.pages.set(address, pages);
      },
      resolve: (query, name, type) => this.#resolve(query, name, type),
      recordsChanged: (names) => bus.recordsChanged(names),
      onRecordsChanged: (forget) => bus.onRecordsChanged(forget),
      neighbours: () => bus.neighbours(),
      keepEdnsOption: (code) => void this.#echoedOptions.add(code),
      readiness: () => this.readiness(),
    };
  }

  #bus(block: number): BlockBus {
    const bus = this.#buses[block];
    if (bus === undefined) throw new Error(`There is no block ${block}`);
    return bus;
  }

  async #resolve(query: Query, name: Name, type: number): Promise<Message | undefined> {
    const asked = askAgain(query, name, type);
    const router = this.#routers.get(query.server);
    if (asked === undefined || router === undefined) return undefined;
    const found = findRoute(router, asked.question, ({ route }) => route.accepts?.(asked) ?? true);
    const reply = await found?.route.handler?.({ ...asked, zone: found.zone, view: found.route.view ?? '' });
    return reply?.message;
  }
}

/** `bind` is set up before every plugin that reads the label. */
function blockInfo(plan: BlockPlan, records: readonly PluginRecord[], block: number): BlockInfo {
  const address = boundAddresses(records, block)?.[0];
  const [first] = plan.keys;
  return {
    zones: plan.keys.flatMap(({ zones }) => zones.slice(0, 1)),
    server: serverLabel({ transport: first?.transport ?? 'dns', port: first?.port ?? 0, address }),
  };
}

/** `root` is set up before every plugin that reads files. */
function rootOf(records: readonly PluginRecord[], block: number): string | undefined {
  return records.find((record) => record.block === block && record.instance.directory !== undefined)?.instance
    .directory;
}

/** Nothing without a `bind`. */
function boundAddresses(records: readonly PluginRecord[], block: number) {
  const listenOn = records
    .filter((record) => record.block === block)
    .flatMap(({ instance }) => (instance.listenOn === undefined ? [] : [instance.listenOn]))
    .at(0);
  if (listenOn === undefined) return undefined;
  const addresses = listenOn.flatMap((text) => parseIp(text) ?? []);
  if (addresses.length > 0) return addresses;
  throw new AppError(
    'SERVE_NOWHERE',
    'plugin/bind: Cannot listen anywhere: no address is left: received none',
  );
}
