/**
 * Stand-in for a node's kubelet: gives each pod assigned to the node its namespace and address, runs its container,
 * starts it again when it dies, asks its readiness probe, and writes the pod's status as a kubelet does.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, errorText } from '../../fault/app-error.ts';
import { makeCgroup, removeCgroup } from '../cgroup.ts';
import { buildPod, removePod } from '../network.ts';
import { heartbeatSocket, type LabNode, nodeNamespace, podDirectory, podNamespace } from '../topology.ts';
import { type Container, type ContainerSpec, startContainer, zerohopCommand } from './container.ts';
import { createTurns } from './in-turn.ts';
import { type PodSurroundings, podEnvironment, podFiles } from './pod-files.ts';
import {
  type ContainerManifest,
  containerCommand,
  IMAGES,
  isNodeCache,
  type PodManifest,
} from './pod-spec.ts';
import { podStatus } from './pod-status.ts';
import { probeReady } from './probe.ts';

/** A kubelet asks its runtime what became of the containers once a second: for so long nobody knows of a death. */
const RELIST_MS = 1_000;
/** Then it starts the container again; a real one's back-off grows, this one is for people who watch. */
const RESTART_DELAY_MS = 1_000;
/** A kubelet gives 30 s by default; a server that drains has answered what it holds long before this. */
const GRACE_MS = 6_000;
const PROBE_INTERVAL_MS = 250;
/** First host number handed out in a node's pod range. */
const FIRST_HOST = 23;
const LAST_HOST = 254;

export interface KubeletOptions {
  readonly node: LabNode;
  readonly surroundings: (pod: PodManifest) => PodSurroundings;
  readonly writeStatus: (pod: PodManifest, status: Readonly<Record<string, unknown>>) => void;
  readonly log: (line: string) => void;
}

interface Run {
  readonly pod: PodManifest;
  readonly address: string;
  readonly startedAtMs: number;
  container: Container | undefined;
  restarts: number;
  ready: boolean;
  stopped: boolean;
  lastEnd?: { readonly exitCode: number; readonly reason: string };
}

export class Kubelet {
  readonly #options: KubeletOptions;
  readonly #runs = new Map<string, Run>();
  readonly #turns = createTurns();
  #nextHost = FIRST_HOST;

  constructor(options: KubeletOptions) {
    this.#options = options;
  }

  /** A pod of this node appeared. Failures are logged and shown in its status; they end nothing else. */
  start(pod: PodManifest): Promise<void> {
    return this.#turns.run(pod.metadata.name, () => this.#start(pod));
  }

  /** A pod of this node is gone: its process is asked to end, then made to. */
  stop(pod: PodManifest): Promise<void> {
    const run = this.#runs.get(pod.metadata.name);
    // At once: from now on its death is not to be mended.
    if (run !== undefined) run.stopped = true;
    return this.#turns.run(pod.metadata.name, () => this.#stop(pod));
  }

  async #start(pod: PodManifest): Promise<void> {
    const name = pod.metadata.name;
    const manifest = pod.spec.containers[0];
    if (manifest === undefined || this.#runs.has(name)) return;
    const hostNetwork = pod.spec.hostNetwork === true;
    const address = hostNetwork ? this.#options.node.address : this.#freeAddress();
    const run: Run = {
      pod,
      address,
      startedAtMs: Date.now(),
      container: undefined,
      restarts: 0,
      ready: false,
      stopped: false,
    };
    this.#runs.set(name, run);
    try {
      if (!hostNetwork) await buildPod(name, this.#options.node, address);
      await this.#runContainer(run, manifest);
    } catch (error) {
      this.#options.log(`Cannot start pod ${name}: ${errorText(error)}`);
    }
    this.#report(run);
    this.#probe(run, manifest);
  }

  async #stop(pod: PodManifest): Promise<void> {
    const run = this.#runs.get(pod.metadata.name);
    if (run === undefined) return;
    run.stopped = true;
    if (run.container !== undefined) await askToEnd(run.container);
    await removeCgroup(makeCgroup(this.#options.node.name, pod.metadata.name));
    if (pod.spec.hostNetwork !== true) await removePod(pod.metadata.name, this.#options.node);
    rmSync(podDirectory(pod.metadata.name), { recursive: true, force: true });
    this.#runs.delete(pod.metadata.name);
  }

  /** Not used again before all others have been, as the usual address plugins do it. */
  #freeAddress(): string {
    const used = new Set([...this.#runs.values()].map(({ address }) => address));
    for (let tries = FIRST_HOST; tries <= LAST_HOST; tries++) {
      const address = `${this.#options.node.podPrefix}.${this.#nextHost}`;
      this.#nextHost = this.#nextHost === LAST_HOST ? FIRST_HOST : this.#nextHost + 1;
      if (!used.has(address)) return address;
    }
    throw new AppError(
      'LAB_FULL',
      `Cannot start another pod: every address is in use: received ${used.size}`,
    );
  }

  async #runContainer(run: Run, manifest: ContainerManifest): Promise<void> {
    const container = startContainer(this.#containerSpec(run.pod, manifest));
    run.container = container;
    void container.ended.then(({ code, signal }) => {
      if (run.stopped) return;
      this.#options.log(`Container of ${run.pod.metadata.name} ended: ${signal ?? `exit code ${code}`}`);
      run.container = undefined;
      run.lastEnd = { exitCode: code ?? 137, reason: code === 0 ? 'Completed' : 'Error' };
      setTimeout(() => this.#noticeDeath(run, manifest), RELIST_MS);
    });
    await container.entered;
    if (run.stopped) return;
    writeFileSync(join(podDirectory(run.pod.metadata.name), 'pid'), String(container.pid));
    // Without a probe a container counts as ready the moment it runs, long before it listens.
    run.ready = manifest.readinessProbe === undefined;
  }

  #noticeDeath(run: Run, manifest: ContainerManifest): void {
    run.ready = false;
    run.restarts++;
    this.#report(run);
    setTimeout(() => void this.#restart(run, manifest), RESTART_DELAY_MS);
  }

  async #restart(run: Run, manifest: ContainerManifest): Promise<void> {
    if (run.stopped) return;
    await this.#runContainer(run, manifest);
    this.#report(run);
  }

  #containerSpec(pod: PodManifest, manifest: ContainerManifest): ContainerSpec {
    const command = containerCommand(manifest, zerohopCommand);
    if (command === undefined) {
      throw new AppError(
        'LAB_IMAGE',
        `Cannot pull image ${manifest.image}: the lab has no registry, only ${IMAGES.join(' and ')}`,
      );
    }
    const around = this.#options.surroundings(pod);
    return {
      pod: pod.metadata.name,
      node: this.#options.node.name,
      namespace:
        pod.spec.hostNetwork === true ? nodeNamespace(this.#options.node) : podNamespace(pod.metadata.name),
      files: podFiles(pod, around),
      environment: podEnvironment(pod, around.services),
      ...(isNodeCache(manifest) && { heartbeats: dirname(heartbeatSocket(this.#options.node)) }),
      command,
    };
  }

  #probe(run: Run, manifest: ContainerManifest): void {
    const probe = manifest.readinessProbe?.httpGet;
    if (probe === undefined) return;
    const ask = async () => {
      if (run.stopped) return;
      const ready = await probeReady(run.address, probe.port, probe.path ?? '/');
      if (ready !== run.ready) {
        run.ready = ready;
        this.#report(run);
      }
      setTimeout(ask, PROBE_INTERVAL_MS);
    };
    void ask();
  }

  #report(run: Run): void {
    if (run.stopped) return;
    this.#options.writeStatus(
      run.pod,
      podStatus({
        containers: run.pod.spec.containers.map(({ name, image }) => ({ name, image })),
        hostAddress: this.#options.node.address,
        podAddress: run.address,
        startedAtMs: run.startedAtMs,
        running: run.container !== undefined,
        ready: run.ready,
        restarts: run.restarts,
        ...(run.lastEnd === undefined ? {} : { lastEnd: run.lastEnd }),
      }),
    );
  }
}

async function askToEnd({ pid, ended }: Container): Promise<void> {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // It has ended by itself.
    return;
  }
  const late = new AbortController();
  await Promise.race([ended, sleep(GRACE_MS, undefined, { signal: late.signal }).catch(() => undefined)]);
  late.abort();
}
