/**
 * The life of the server process (dns-server 1.8): start, what is printed and in which order, reloads by file or signal,
 * and the ways to end, each with its exit code.
 */
import type { AdminServer } from '../../admin/admin-server.ts';
import type { Corefile } from '../../corefile/ast.ts';
import { errorText } from '../../fault/app-error.ts';
import type { Ip } from '../../net/ip.ts';
import { versionLines, zoneLines } from '../banner.ts';
import { DnsServer } from '../dns-server.ts';
import type { TakeOver } from '../takeover/take-over.ts';
import { CorefileSource } from './corefile-source.ts';
import { removePidfile, writePidfile } from './pidfile.ts';
import { type ProcessEnvironment, yieldToPacketThreads } from './process-environment.ts';
import { watchCorefile } from './reload-watch.ts';
import type { ServerHeartbeat } from './server-heartbeat.ts';
import type { Ending, ServerSignals } from './signals.ts';

export interface RunOptions {
  /** As given to `-conf`. */
  readonly conf: string;
  /** Empty: none. */
  readonly pidfile: string;
  readonly quiet: boolean;
  /** `auto`, empty for none, or a path. */
  readonly adminSocket: string;
  /** From whom: `auto`, a process id or the path of an admin socket; empty: from nobody. */
  readonly takeover: string;
  /** As given to `-heartbeat`: where the agent is that watches this process; empty: where one usually is. */
  readonly heartbeat?: string;
  /** As `-kernel-answers`; default true. */
  readonly kernelAnswers?: boolean;
  /** Of the node cache. */
  readonly localIps?: readonly Ip[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly environment: ProcessEnvironment;
  /** Caught since before anything else was loaded. */
  readonly signals: ServerSignals;
  /** Called when the Corefile has been read: from now on everything is logged to standard output. */
  readonly onStarting?: () => void;
  /** Called once, when all sockets are open and answer. The process before this one goes when it has resolved. */
  readonly onServing?: () => void | Promise<void>;
  /** Called once when the process is told to end, before the listeners close; they stay open until it is done. */
  readonly onEnding?: () => void | Promise<void>;
  /** Called instead of `onEnding` when another process has taken over and answers. */
  readonly onHandedOver?: () => void;
}

/** Exit codes of dns-server 1.8. */
const STOP_FAILED = 3;
const CALLBACK_FAILED = 4;

/** The process id of a container's first process. */
const CONTAINER_INIT = 1;

/** The longest interval there is: it only has to exist. */
const HOLD_MS = 2 ** 31 - 1;
/** What a take-over waits for the agent at most, so that it knows the successor before it misses the one before. */
const INTRODUCTION_MS = 500;

/** Resolves with the exit code once the process was told to end. Rejects with an `AppError` when it cannot start. */
export async function runServer(options: RunOptions): Promise<number> {
  const { environment, conf, env, signals } = options;
  const source = new CorefileSource({ conf, env, defaultPort: environment.defaultPort });
  const life = new ServerLife(new DnsServer(environment), source, options);
  const log = environment.log('');
  signals.listen({ log, flush: () => environment.sink.flush(), onReload: () => void life.reloadBySignal() });
  // The clock's timers let a process end, and a plugin may wait at start for long before any socket is open.
  const hold = setInterval(() => undefined, HOLD_MS);
  try {
    const started = await Promise.race([life.start().then(() => true), signals.told.then(() => false)]);
    if (!started) return life.endHooks();
    const ended = life.end(await Promise.race([signals.told, life.handedOver]));
    return await Promise.race([ended, signals.quit.then(() => life.endHooks())]);
  } finally {
    await life.close();
    life.stopBeating();
    clearInterval(hold);
  }
}

class ServerLife {
  readonly #server: DnsServer;
  readonly #source: CorefileSource;
  readonly #options: RunOptions;
  #stopWatching: (() => void) | undefined;
  /** Nothing is reloaded before there is something to replace, nor once the end has begun. */
  #phase: 'starting' | 'running' | 'ending' = 'starting';
  #reloadAsked = false;
  #hooks: Promise<number> | undefined;
  #door: AdminServer | undefined;
  #takeOver: TakeOver | undefined;
  #heartbeat: ServerHeartbeat | undefined;
  readonly #successor = Promise.withResolvers<'handed over'>();

  constructor(server: DnsServer, source: CorefileSource, options: RunOptions) {
    this.#server = server;
    this.#source = source;
    this.#options = options;
  }

  /** Resolves when another process has taken over. */
  get handedOver(): Promise<'handed over'> {
    return this.#successor.promise;
  }

  async start(): Promise<void> {
    const { environment, quiet, pidfile } = this.#options;
    const corefile = this.#load();
    this.#options.onStarting?.();
    const takeOver = await this.#beginTakeOver();
    this.#takeOver = takeOver;
    await this.#server.apply(corefile, takeOver);
    takeOver?.sockets.closeRest();
    try {
      await this.#openDoor(takeOver?.path);
    } catch (error) {
      await this.#giveBack(takeOver);
      throw error;
    }
    await this.#options.onServing?.();
    const { sink } = environment;
    if (!quiet) for (const line of zoneLines(this.#server.current.listeners)) sink.write(line);
    if (pidfile !== '') writePidfile(pidfile);
    if (takeOver !== undefined) await this.#startBeating(INTRODUCTION_MS);
    takeOver?.finish();
    this.#printHash();
    if (!quiet) for (const line of versionLines()) sink.write(line);
    this.#watch();
    if (this.#server.packetThreads > 0) yieldToPacketThreads();
    this.#phase = 'running';
    if (takeOver === undefined) void this.#startBeating(0);
    if (this.#reloadAsked) void this.reloadBySignal();
  }

  /** A failure is logged; what was in force still is. During the start it is put off until that is over. */
  async reloadBySignal(): Promise<void> {
    this.#reloadAsked = this.#phase === 'starting';
    if (this.#phase !== 'running') return;
    const log = this.#options.environment.log('');
    log.info('SIGUSR1: Reloading');
    try {
      await this.#reload(this.#load());
    } catch (error) {
      log.error(`SIGUSR1: ${errorText(error)}`);
    }
  }

  async end(ending: Ending | 'handed over'): Promise<number> {
    this.#phase = 'ending';
    this.#stopWatching?.();
    if (ending === 'handed over') return this.#leave();
    if (ending === 'quit') return this.endHooks();
    await this.#heartbeat?.leave();
    if (ending === 'interrupt') await this.endHooks();
    const shutDownFailed = await failed(this.#server.shutDownPlugins(), this.#options.environment.log(''));
    if (ending === 'terminate') await this.endHooks();
    await this.#heartbeat?.passArrivals();
    const stopFailed = await failed(this.#server.closeListeners(), this.#options.environment.log(''));
    if (stopFailed) return STOP_FAILED;
    return shutDownFailed ? CALLBACK_FAILED : 0;
  }

  /** The successor has what is outside of the process, and the sockets: what is in hand is answered, nothing more. */
  async #leave(): Promise<number> {
    const { environment, onHandedOver, pidfile, signals } = this.#options;
    const log = environment.log('');
    await this.close();
    onHandedOver?.();
    if (pidfile !== '') removePidfile(pidfile);
    await failed(this.#server.closeListeners(), log);
    await failed(this.#server.retire(), log);
    this.stopBeating();
    // A container whose first process ends is started again, and would take over in its turn.
    const mustWait = process.pid === CONTAINER_INIT;
    log.info(`Handed over: ${mustWait ? 'waiting for the signal to terminate' : 'terminating'}`);
    if (mustWait) await signals.told;
    return 0;
  }

  /** What is left behind outside of the process. Calling it again waits for the same. */
  endHooks(): Promise<number> {
    this.#hooks ??= this.#runEndHooks();
    return this.#hooks;
  }

  async #runEndHooks(): Promise<number> {
    const { pidfile, onEnding } = this.#options;
    await onEnding?.();
    if (pidfile !== '') removePidfile(pidfile);
    return 0;
  }

  /** What others know this process by. */
  async close(): Promise<void> {
    this.#takeOver?.abandon();
    await this.#door?.close();
  }

  /** Whoever watches this process sees it dead from now on. */
  stopBeating(): void {
    this.#heartbeat?.close();
  }

  /** Loaded once the server answers, as the door is. */
  async #startBeating(patienceMs: number): Promise<void> {
    const { environment, heartbeat = '', localIps = [], env, kernelAnswers = true } = this.#options;
    const { heartbeatPath, ServerHeartbeat } = await import('./server-heartbeat.ts');
    const path = heartbeatPath(heartbeat, env);
    if (path === undefined || this.#phase === 'ending') return;
    const { clock, log } = environment;
    const server = this.#server;
    this.#heartbeat = new ServerHeartbeat({ path, clock, log: log(''), server, localIps, kernelAnswers });
    await this.#heartbeat.start(patienceMs);
  }

  /** What this process has read already, the one that goes on will never see. */
  async #giveBack(takeOver: TakeOver | undefined): Promise<void> {
    if (takeOver === undefined) return;
    this.#server.share(true);
    await failed(this.#server.closeListeners(), this.#options.environment.log(''));
  }

  async #beginTakeOver(): Promise<TakeOver | undefined> {
    const { environment, takeover, env } = this.#options;
    if (takeover === '') return undefined;
    const { beginTakeOver } = await import('../takeover/take-over.ts');
    return beginTakeOver({ from: takeover, env, log: environment.log('') });
  }

  /** Loaded once the server answers: nobody waits for it. */
  async #openDoor(replaces: string | undefined): Promise<void> {
    const { environment, adminSocket, env } = this.#options;
    if (adminSocket === '') return;
    const [{ openAdminDoor }, { adminCommands }, { HandOver }] = await Promise.all([
      import('./admin-door.ts'),
      import('../admin-commands.ts'),
      import('../takeover/hand-over.ts'),
    ]);
    const log = environment.log('');
    const handOver = new HandOver({
      server: this.#server,
      clock: environment.clock,
      log,
      onReleased: (successor) => {
        log.info(`Process ${successor} has taken over: answering what is in hand`);
        this.#successor.resolve('handed over');
      },
    });
    const commands = {
      ...adminCommands({ ...environment, current: () => this.#server.current }),
      ...handOver.commands(() => this.#door?.path ?? ''),
    };
    this.#door = await openAdminDoor({
      socket: adminSocket,
      env,
      commands,
      log,
      ...(replaces !== undefined && { replaces }),
    });
  }

  #load(): Corefile {
    const corefile = this.#source.load();
    for (const warning of corefile.warnings) this.#options.environment.log('').warning(warning);
    return corefile;
  }

  /** Throws when the new configuration cannot be put into force; everything is logged already then. */
  async #reload(corefile: Corefile): Promise<void> {
    const log = this.#options.environment.log('');
    log.info('Reloading');
    try {
      await this.#server.apply(corefile);
    } catch (error) {
      log.error(`Restart failed: ${errorText(error)}`);
      this.#server.metrics.reloadFailed();
      throw error;
    }
    this.#server.metrics.reloaded(corefile.hash);
    this.#heartbeat?.announce();
    this.#printHash();
    log.info('Reloading complete');
    // Anew, since the file may say another period: the next look of the old one may be an hour away.
    this.#watch();
  }

  #printHash(): void {
    const { current } = this.#server;
    if (!current.uses('reload')) return;
    this.#options.environment
      .log('plugin/reload: ')
      .info(`Running configuration SHA512 = ${current.corefile.hash}`);
  }

  #watch(): void {
    const { clock, random, log } = this.#options.environment;
    this.#stopWatching?.();
    this.#stopWatching = watchCorefile({
      clock,
      random,
      log: log('plugin/reload: '),
      load: () => this.#source.load(),
      period: () =>
        this.#server.current.records.map(({ instance }) => instance.watchCorefile).findLast(Boolean),
      currentHash: () => this.#server.current.corefile.hash,
      apply: (corefile) => this.#applyWatched(corefile),
    });
  }

  async #applyWatched(corefile: Corefile): Promise<boolean> {
    try {
      await this.#reload(corefile);
      return true;
    } catch (error) {
      const reason = `Corefile changed but reload failed: starting with listener file descriptors`;
      this.#options.environment.log('plugin/reload: ').error(`${reason}: ${errorText(error)}`);
      return false;
    }
  }
}

async function failed(step: Promise<void>, log: { error(text: string): void }): Promise<boolean> {
  try {
    await step;
    return false;
  } catch (error) {
    log.error(`Shutting down: ${errorText(error)}`);
    return true;
  }
}
