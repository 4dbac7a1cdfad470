/**
 * The hands of a trial: what can be done to the cluster, and the four clients that ask all the while. Everything happens
 * on the worker node; what a trial breaks it mends before it ends.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../fault/app-error.ts';
import { execInPod, podPid } from '../exec.ts';
import { type ClientTally, sumTallies } from '../load/client-tally.ts';
import { epochMs } from '../load/query-load.ts';
import { clusterManifests } from '../manifests.ts';
import { zerohopCommand } from '../node/container.ts';
import { DNS_SERVICE_ADDRESS, WORKER_NODE } from '../topology.ts';
import { type Lab, startAgent } from '../up.ts';
import type { Happening } from './trial.ts';

const POLL_MS = 20;
const PATIENCE_MS = 60_000;
/** Their names are never answered by the kernel: a redirect that is broken must show. */
export const CLIENTS = ['load-1', 'load-2', 'load-3', 'load-4'] as const;
export const ANSWERED_CLIENTS = ['asker-1', 'asker-2', 'asker-3', 'asker-4'] as const;
/** Between the last thing that happens and the end of the load. */
const AFTERWARDS_MS = 1_500;

export interface Rates {
  /** Queries per second of all four clients together. */
  readonly udp: number;
  readonly tcp: number;
}

export interface CachePod {
  readonly name: string;
  /** How often its container had been started again. */
  readonly restarts: number;
}

export interface Answering {
  /** Queries, as the two below: by the programs themselves. */
  readonly answered: number;
  /** To a cache, or to where they would have gone without a policy. */
  readonly passedOn: number;
  readonly caches: number;
}

export interface Load {
  /** Ends the asking and sums up. */
  end(): Promise<ClientTally>;
}

export class Stage {
  readonly lab: Lab;
  readonly stop: AbortSignal;
  /** How many queries a trial of endurance should have seen before it ends. */
  readonly enough: number;
  /** Seconds that an outage lasts. */
  readonly outageSeconds: number;
  readonly #rates: Rates;
  readonly #patienceMs: number;
  #cacheNumber = 0;

  constructor(options: {
    readonly lab: Lab;
    readonly stop: AbortSignal;
    readonly enough: number;
    readonly outageSeconds: number;
    readonly rates: Rates;
    /** A query without an answer after so long is lost. */
    readonly patienceMs: number;
  }) {
    this.lab = options.lab;
    this.stop = options.stop;
    this.enough = options.enough;
    this.outageSeconds = options.outageSeconds;
    this.#rates = options.rates;
    this.#patienceMs = options.patienceMs;
  }

  get perSecond(): number {
    return this.#rates.udp + this.#rates.tcp;
  }

  get udpPerSecond(): number {
    return this.#rates.udp;
  }

  /** The pods that ask, made once: four of each kind. */
  async makeClients(): Promise<void> {
    for (const name of CLIENTS) await this.createClient(name);
    for (const name of ANSWERED_CLIENTS) await this.createClient(name, 'allow');
    for (const name of [...CLIENTS, ...ANSWERED_CLIENTS]) await this.untilClient(name);
  }

  createClient(name: string, answers: 'allow' | 'deny' = 'deny'): Promise<void> {
    const annotations = { 'zerohop.io/kernel-answers': answers };
    const spec = { nodeName: WORKER_NODE.name, containers: [{ name: 'client', image: 'netshoot' }] };
    return this.lab.api.createPod('default', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', labels: { run: 'load' }, annotations },
      spec,
    });
  }

  /** Until the pod runs and is redirected. */
  async untilClient(name: string): Promise<void> {
    await this.until(`${name} runs and is redirected`, async () => {
      const pods = await this.lab.api.pods();
      const { interfaces } = await this.lab.api.agent(WORKER_NODE).status();
      const address = pods.find((pod) => pod.name === name && pod.ready)?.address;
      return interfaces.some((row) => row.address === address && row.status.state === 'done');
    });
  }

  /** Resolves once all of them have begun to ask. */
  async startLoad(clients: readonly string[] = CLIENTS, { tcp = true } = {}): Promise<Load> {
    const share = (rate: number) => String(rate / CLIENTS.length);
    const words = ['lab', 'client', '--server', DNS_SERVICE_ADDRESS, '--name', 'google.com'];
    const amounts = ['--udp-rate', share(this.#rates.udp), '--tcp-rate', share(tcp ? this.#rates.tcp : 0)];
    const args = [...words, ...amounts, '--patience', String(this.#patienceMs)];
    const running = await Promise.all(clients.map((pod) => startClient(pod, args)));
    return {
      end: async () => {
        await this.pause(AFTERWARDS_MS);
        return sumTallies(await Promise.all(running.map((client) => client.end())));
      },
    };
  }

  /** The pod of the node's cache that is staying, once it is ready: one that hung a moment ago may not be. */
  async cachePod(): Promise<CachePod> {
    let found: CachePod | undefined;
    await this.until('a cache of the node is ready', async () => {
      const pods = await this.lab.api.pods();
      found = pods.findLast(
        ({ name, node, ready }) => name.startsWith('node-local-dns-') && node === WORKER_NODE.name && ready,
      );
      return found !== undefined;
    });
    return found as CachePod;
  }

  /** Until the container that ran when `pod` was looked up has been replaced, and the new one serves. */
  async untilRestarted(pod: CachePod): Promise<void> {
    await this.until(`${pod.name} has been started again`, async () => {
      const pods = await this.lab.api.pods();
      return pods.some(({ name, ready, restarts }) => name === pod.name && ready && restarts > pod.restarts);
    });
    await this.untilServing(pod.name);
  }

  /** Another pod of the cache, as a surge would make it; resolves with its name when the kernel leads to it. */
  async addCache(): Promise<string> {
    this.#cacheNumber++;
    const name = `node-local-dns-t${this.#cacheNumber}`;
    const original = clusterManifests().find(
      ({ kind, metadata, spec }) =>
        kind === 'Pod' &&
        String((metadata as { name: string }).name).startsWith('node-local-dns-') &&
        (spec as { nodeName: string }).nodeName === WORKER_NODE.name,
    );
    const metadata = { ...(original?.metadata as object), name };
    await this.lab.api.createPod('kube-system', { ...original, metadata });
    await this.untilServing(name);
    return name;
  }

  /** Until the service list of the node leads to this pod, and it answers. */
  async untilServing(pod: string): Promise<void> {
    await this.until(`the kernel leads to ${pod}`, async () => {
      const { rows } = await this.lab.api.agent(WORKER_NODE).service();
      const leads = rows.some(
        ({ frontend, status }) =>
          status?.state === 'done' &&
          frontend.type === 'LocalRedirect' &&
          frontend.backends.some((backend) => backend.pod === `kube-system/${pod}`),
      );
      return leads && (await answers(pod));
    });
  }

  /** The same from what the machine shows, for when nobody can be asked. */
  async cachePodWithoutApi(): Promise<string> {
    const { rows } = await this.lab.api.agent(WORKER_NODE).service();
    const pods = rows.filter(({ frontend }) => frontend.type === 'LocalRedirect');
    const pod = pods.flatMap(({ frontend }) => frontend.backends).find((backend) => backend.pod)?.pod;
    if (pod === undefined) throw new AppError('LAB_NOT_READY', 'Cannot find the cache of the node');
    return pod;
  }

  /** Asks once from each of so many ports of a pod of the node, as fast as the pod can. */
  async flood(ports: number): Promise<void> {
    const words = ['lab', 'flood', '--server', DNS_SERVICE_ADDRESS, '--ports', String(ports)];
    const child = execInPod('netshoot', zerohopCommand(words), { stdio: ['ignore', 'ignore', 'inherit'] });
    await new Promise<void>((resolve) => child.on('close', () => resolve()));
  }

  async removePod(namespace: string, name: string): Promise<void> {
    await this.lab.api.deletePod(namespace, name);
    await this.until(`${name} is gone`, async () => {
      const pods = await this.lab.api.pods();
      return !pods.some((pod) => pod.name === name);
    });
  }

  /** What the node's programs did with queries so far, and how many caches tell them what to answer. */
  async answering(): Promise<Answering> {
    const { counters, answers } = await this.lab.api.agent(WORKER_NODE).status();
    const caches = answers?.shelves.filter(({ state }) => state === 'beating').length ?? 0;
    const passed = [counters.redirected, ...Object.values(counters.fellBack)];
    const passedOn = passed.reduce((sum, count) => sum + Number(count), 0);
    return { answered: Number(counters.answered), passedOn, caches };
  }

  async agentPid(): Promise<number> {
    return (await this.lab.api.agent(WORKER_NODE).status()).pid;
  }

  launchAgent(): void {
    startAgent(WORKER_NODE);
  }

  async untilAgentReady(): Promise<void> {
    await this.until('the agent has everything in force', async () => {
      const { interfaces, policies } = await this.lab.api.agent(WORKER_NODE).status();
      return (
        interfaces.length > 0 &&
        interfaces.every(({ status }) => status.state === 'done') &&
        policies.some(({ state }) => state === 'done')
      );
    });
  }

  happened(what: string): Happening {
    return { what, atMs: epochMs() };
  }

  pause(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.stop });
  }

  async until(what: string, look: () => Promise<boolean>): Promise<void> {
    const deadline = epochMs() + PATIENCE_MS;
    for (;;) {
      // What is asked may be away at the moment: that is what trials are about.
      if (await look().catch(() => false)) return;
      if (epochMs() > deadline) {
        throw new AppError('LAB_NOT_READY', `Cannot go on with the trial: not within a minute: ${what}`);
      }
      await this.pause(POLL_MS);
    }
  }
}

async function startClient(pod: string, args: readonly string[]): Promise<{ end(): Promise<ClientTally> }> {
  const child = execInPod(pod, zerohopCommand(args), { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  const began = Promise.withResolvers<void>();
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
    if (text.includes('asking\n')) began.resolve();
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  child.on('error', began.reject);
  void ended.then(() => began.reject(new AppError('LAB_POD', `Cannot ask from pod ${pod}: it ended`)));
  await began.promise;
  return {
    async end() {
      child.kill('SIGTERM');
      await ended;
      const line = text.split('\n')[1] ?? '';
      return line === '' ? sumTallies([]) : (JSON.parse(line) as ClientTally);
    },
  };
}

/** Does a process in the pod have the DNS port open? Asked of the kernel, so that nothing is sent that would be counted. */
async function answers(pod: string): Promise<boolean> {
  const table = await readFile(`/proc/${podPid(pod)}/net/udp`, 'utf8');
  return /: [0-9A-F]{8}:0035 /.test(table);
}
