/**
 * The node cache: the DNS server behind a wrapper that writes its Corefile from a template, keeps it written while the
 * template and the kube-dns ConfigMap change, and sets up the node's interface and packet filter rules (dns-server 4).
 * However the process ends, what was set up is taken down, unless it was killed or told to leave it.
 */
import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { AppError, errorText } from '../fault/app-error.ts';
import { programVersion } from '../serve/banner.ts';
import { HttpHub } from '../serve/http-hub.ts';
import type { ProcessEnvironment } from '../serve/process/process-environment.ts';
import { runServer } from '../serve/process/run-server.ts';
import type { ServerSignals } from '../serve/process/signals.ts';
import type { Log } from '../telemetry/log.ts';
import { type Counter, EXPOSITION_TYPE, type Family } from '../telemetry/metrics.ts';
import { writeCorefile } from './corefile-writer.ts';
import { type DirectoryContent, directoryEvents, readDirectory, watchDirectory } from './directory-watch.ts';
import type { NodeCacheErrorCode } from './errors.ts';
import type { NodeCacheSpec } from './flags.ts';
import { EMPTY_CONFIG, type KubeDnsConfig, parseKubeDnsConfig } from './kube-dns-config.ts';
import type { NodeSetup } from './setup/node-setup.ts';
import { createStampedLog } from './stamped-log.ts';
import { serviceHostVariable } from './upstream-service.ts';

const DEFAULT_KUBE_DNS_DIRECTORY = '/etc/kube-dns';
/** Where a shell looks that was told nothing. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const ERROR_TYPES = ['iptables', 'iptables_lock', 'interface_add', 'interface_check', 'configmap'] as const;

export interface NodeCacheOptions {
  readonly spec: NodeCacheSpec;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly environment: ProcessEnvironment;
  /** Caught since before anything else was loaded. */
  readonly signals: ServerSignals;
}

/** The longest interval there is: it only has to exist. */
const HOLD_MS = 2 ** 31 - 1;

/** Resolves with the exit code once the process was told to end. Rejects with an `AppError` when it cannot start. */
export async function runNodeCache({ spec, env, environment, signals }: NodeCacheOptions): Promise<number> {
  const wrapper = new Wrapper(spec, env, environment);
  wrapper.announce();
  const closeMetrics = await wrapper.serveMetrics();
  wrapper.render();
  const stopWatching = wrapper.watch();
  // The clock's timers let a process end, and some waiting is done before the server and after it.
  const hold = setInterval(() => undefined, HOLD_MS);
  const setup = await wrapper.setUp(env.PATH);
  try {
    return await runServer({
      conf: spec.corefile,
      pidfile: spec.pidfile,
      quiet: spec.quiet,
      adminSocket: spec.adminSocket,
      takeover: spec.takeover,
      heartbeat: spec.heartbeat,
      kernelAnswers: spec.kernelAnswers,
      localIps: spec.localIps,
      env,
      // A DaemonSet that is rolled out with a surge has two of us on a node for a while.
      environment: { ...environment, sharesPages: true },
      signals,
      onStarting: () => wrapper.useServerLog(),
      onServing() {
        setup?.serving();
        return spec.takeover === '' ? undefined : setup?.settled();
      },
      onEnding: () => setup?.end(),
      onHandedOver: () => {
        // The Corefile's template is the successor's to render as well.
        stopWatching();
        setup?.handOver();
      },
    });
  } finally {
    stopWatching();
    // A server that could not start was not told to end.
    await setup?.end();
    await closeMetrics();
    clearInterval(hold);
  }
}

class Wrapper {
  readonly #spec: NodeCacheSpec;
  readonly #environment: ProcessEnvironment;
  readonly #clusterDns: string | undefined;
  readonly #errors: Family<Counter>;
  #log: Log;
  #config: KubeDnsConfig = EMPTY_CONFIG;
  /** Before the server has its handlers, SIGUSR1 would open Node's debugger. */
  #serving = false;

  constructor(spec: NodeCacheSpec, env: NodeCacheOptions['env'], environment: ProcessEnvironment) {
    this.#spec = spec;
    this.#environment = environment;
    this.#clusterDns = env[serviceHostVariable(spec.upstreamService)];
    this.#log = createStampedLog((text) => void process.stderr.write(text), environment.clock);
    this.#errors = environment.metrics.counter({
      name: 'coredns_nodecache_setup_errors_total',
      help: 'Things the node cache could not set up.',
      labels: ['errortype'],
    });
    for (const type of ERROR_TYPES) this.#errors.with(type);
  }

  announce(): void {
    const { corefile, pidfile, upstreamService } = this.#spec;
    this.#log.info(`Starting node-cache image: ${programVersion()}`);
    this.#log.info(`Using Corefile ${corefile}`);
    this.#log.info(`Using Pidfile ${pidfile}`);
    if (this.#clusterDns !== undefined) return;
    const variable = serviceHostVariable(upstreamService);
    this.#log.warning(
      `Unable to lookup IP address of Upstream service ${upstreamService}, env $${variable} \`\``,
    );
  }

  /** The process's metrics once more, at an address of their own. That it is taken does not keep DNS from working. */
  async serveMetrics(): Promise<() => Promise<void>> {
    // While a DaemonSet is rolled out with a surge, the instance before has the address still.
    const hub = new HttpHub((text) => this.#log.warning(text), { reusePort: true });
    const answer = async () => ({
      status: 200,
      body: await this.#environment.metrics.text(),
      contentType: EXPOSITION_TYPE,
    });
    try {
      await hub.prepare(new Map([[this.#spec.metricsAddress, new Map([['/metrics', answer]])]]));
    } catch (error) {
      this.#log.error(`Failed to start metrics handler: ${errorText(error)}`);
    }
    return () => hub.close();
  }

  /** Lines go to standard output from now on. */
  useServerLog(): void {
    this.#log = this.#environment.log('');
    this.#serving = true;
  }

  render(): boolean {
    return writeCorefile(this.#config, {
      spec: this.#spec,
      clusterDns: this.#clusterDns,
      log: () => this.#log,
      onFailed: () => this.#errors.with('configmap').inc(),
    });
  }

  /** Undefined when nothing is to be set up. Resolves when the interface is there, or known not to be. */
  async setUp(path = DEFAULT_PATH): Promise<NodeSetup | undefined> {
    if (!this.#spec.setupInterface && !this.#spec.setupIptables) return undefined;
    const { NodeSetup } = await import('./setup/node-setup.ts');
    const { clock, sink } = this.#environment;
    const setup = new NodeSetup({
      spec: this.#spec,
      clock,
      path,
      log: () => this.#log,
      failed: (type) => this.#errors.with(type).inc(),
    });
    // Before the log is closed.
    process.prependListener('exit', () => {
      setup.endNow();
      sink.flush();
    });
    await setup.begin();
    return setup;
  }

  watch(): () => void {
    const { baseCorefile, kubeDnsDirectory } = this.#spec;
    const stopBase = this.#watchDirectory(dirname(baseCorefile), {
      what: `base Corefile ${basename(baseCorefile)}`,
      onChange: () => this.#renderAgain(),
      skipFirst: true,
    });
    const directory =
      kubeDnsDirectory === '' && existsSync(DEFAULT_KUBE_DNS_DIRECTORY)
        ? DEFAULT_KUBE_DNS_DIRECTORY
        : kubeDnsDirectory;
    if (directory === '') {
      this.#log.info('Skipping kube-dns configmap sync as no directory was specified');
      return stopBase;
    }
    const stopConfig = this.#watchDirectory(directory, {
      what: 'kube-dns config',
      onChange: (content) => this.#useConfig(content, directory),
      skipFirst: false,
    });
    return () => {
      stopBase();
      stopConfig();
    };
  }

  #watchDirectory(
    path: string,
    watch: { what: string; onChange: (content: DirectoryContent) => void; skipFirst: boolean },
  ): () => void {
    let seen = !watch.skipFirst;
    return watchDirectory({
      clock: this.#environment.clock,
      read: () => readDirectory(path),
      notify: directoryEvents(path),
      onChange: (content) => {
        if (seen) watch.onChange(content);
        seen = true;
      },
      onError: (error) => {
        this.#errors.with('configmap').inc();
        this.#log.error(`Failed to sync ${watch.what} directory ${path}, err: ${errorText(error)}`);
      },
    });
  }

  #useConfig({ files }: DirectoryContent, directory: string): void {
    try {
      this.#config = parseKubeDnsConfig(files);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#errors.with('configmap').inc();
      const isWrongServer = error.code === ('NODECACHE_NAMESERVERS' satisfies NodeCacheErrorCode);
      const what = isWrongServer
        ? 'Invalid config:'
        : `Failed to sync kube-dns config directory ${directory}, err:`;
      this.#log.error(`${what} ${error.message}`);
      return;
    }
    this.#renderAgain();
  }

  #renderAgain(): void {
    if (!this.render() || !this.#serving || !this.#spec.reloadWithSignal) return;
    this.#log.info(`Sending reload signal to PID ${process.pid}`);
    process.kill(process.pid, 'SIGUSR1');
  }
}
