/**
 * The running lab as a patient: commands in its nodes and pods, its objects, and the real `zerohop doctor` as a process of
 * its own. One lab serves all faults; each takes itself away again.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAgentClient } from '../../../../src/agent/client.ts';
import type { PlacedFinding, PodVerdict, Report } from '../../../../src/doctor/report/report.ts';
import { errorCode } from '../../../../src/fault/app-error.ts';
import { execInPod } from '../../../../src/lab/exec.ts';
import { agentSocket, type LabNode, namespacePath, nodeNamespace } from '../../../../src/lab/topology.ts';
import { startAgent } from '../../../../src/lab/up.ts';
import { MAIN, type RunningLab, startLab, untilUp } from '../../running-lab.ts';
import { ClusterObjects, type Mend } from './cluster-objects.ts';
import { forgetConnections } from './forget-connections.ts';

export const POLICY_PATH =
  '/apis/cilium.io/v2/namespaces/kube-system/ciliumlocalredirectpolicies/nodelocaldns';
const POLICY = new URL('../../../../src/lab/manifests/lrp-nodelocaldns.yaml', import.meta.url);
const DOCTOR_TIMEOUT_MS = 60_000;
/** It takes two seconds on a quiet machine; tests also run on a busy one. */
export const PATIENCE_SECONDS = '40';

export interface DoctorRun {
  readonly report: Report;
  readonly exitCode: number | null;
  readonly stderr: string;
  readonly tookMs: number;
}

export interface Said {
  readonly status: number | null;
  readonly text: string;
}

export class DoctorLab {
  readonly objects: ClusterObjects;
  readonly #lab: RunningLab;
  readonly #toForget = new Set<LabNode>();
  #withoutPolicy = 0;
  #policyBack: Mend = () => undefined;
  /** How long each run of the doctor took, in milliseconds. */
  readonly tookMs: number[] = [];

  private constructor(lab: RunningLab) {
    this.#lab = lab;
    this.objects = new ClusterObjects();
  }

  /** The lab as the first field report leaves it at its end: with the policy, so that everything enters the caches. */
  static async start(): Promise<DoctorLab> {
    const running = startLab();
    await untilUp(running);
    const lab = new DoctorLab(running);
    await lab.objects.apply(readFileSync(POLICY, 'utf8'));
    await lab.untilRedirected();
    return lab;
  }

  async stop(): Promise<void> {
    this.objects.close();
    this.#lab.child.kill('SIGINT');
    await this.#lab.ended;
  }

  /** In the node's network namespace; throws what it complained of. */
  inNode(node: string, ...words: readonly string[]): string {
    const said = this.tryInNode(node, ...words);
    if (said.status !== 0) throw new Error(`${words.join(' ')}: ${said.text}`);
    return said.text;
  }

  tryInNode(node: string, ...words: readonly string[]): Said {
    const namespace = `--net=${namespacePath(nodeNamespace({ name: node }))}`;
    const { status, stdout, stderr } = spawnSync('nsenter', [namespace, '--', ...words], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    return { status, text: `${stdout}${stderr}` };
  }

  /** In the pod's network, mounts and host name. A command that fails is an answer. */
  async inPod(pod: string, ...words: readonly string[]): Promise<Said> {
    const child = execInPod(pod, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        text += chunk.toString('utf8');
      });
    const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
    return { status, text };
  }

  /** A process in the node's network that stays until it is mended; resolves when it has printed a line. */
  async startInNode(node: string, ...words: readonly string[]): Promise<Mend> {
    const namespace = `--net=${namespacePath(nodeNamespace({ name: node }))}`;
    const child = spawn('nsenter', [namespace, '--', ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`${words.join(' ')} ended with ${code}`)));
    });
    return () => killed(child);
  }

  /** Both nodes redirect both protocols, by what is in their kernels. */
  untilRedirected(redirected = true): Promise<true> {
    return this.objects.until(`redirected: ${redirected}`, async () => {
      for (const name of ['k8s-ctr', 'k8s-w1']) {
        const { rows } = await createAgentClient(agentSocket({ name })).service();
        const active = rows.filter(
          ({ frontend, status }) => frontend.type === 'LocalRedirect' && status?.state === 'done',
        );
        if (active.length !== (redirected ? 2 : 0)) return undefined;
      }
      return true;
    });
  }

  /** A frontend of the node's table is of this type; an address of a service is told as `10.96.0.10:53/UDP`. */
  untilFrontend(node: string, frontend: string, type: string, backends?: number): Promise<true> {
    return this.objects.until(`${frontend} is ${type}`, async () => {
      const { rows } = await createAgentClient(agentSocket({ name: node })).service();
      const row = rows.find(
        (one) => `${one.frontend.address}:${one.frontend.port}/${one.frontend.protocol}` === frontend,
      );
      if (row?.frontend.type !== type || (row.status?.state ?? 'done') !== 'done') return undefined;
      return backends === undefined || row.frontend.backends.length === backends ? true : undefined;
    });
  }

  /** kube-proxy's rules of the node send queries to so many servers. */
  untilProxied(node: string, servers: number): Promise<true> {
    return this.objects.until(`${servers} servers behind 10.96.0.10`, async () => {
      const rules = this.inNode(node, 'nft', 'list', 'chain', 'ip', 'zerohop-proxy', 'services');
      const rule = rules
        .split('\n')
        .find((line) => line.includes('10.96.0.10') && line.includes('udp dport 53 '));
      return rule?.includes(`mod ${servers} `) === true ? true : undefined;
    });
  }

  async pod(name: string): Promise<PodState> {
    const { items } = (await this.objects.get('/api/v1/pods')) as { items: readonly PodJson[] };
    const found = items.find(({ metadata }) => metadata.name === name);
    if (found === undefined) throw new Error(`There is no pod ${name}`);
    const [container] = found.status?.containerStatuses ?? [];
    return {
      address: found.status?.podIP ?? '',
      restarts: container?.restartCount ?? 0,
      ready: container?.ready === true && container.state?.running !== undefined,
    };
  }

  untilPod(name: string, is: (pod: PodState) => boolean): Promise<true> {
    return this.objects.until(`${name} is as it should be`, async () =>
      is(await this.pod(name)) ? true : undefined,
    );
  }

  /** A process of the pod has port 53 of UDP: caches have no readiness probe. */
  untilListens(pod: string): Promise<true> {
    return this.objects.until(`${pod} listens`, async () => {
      const { text } = await this.inPod(pod, 'cat', '/proc/self/net/udp');
      return /: [0-9A-F]{8}:0035 /.test(text) ? true : undefined;
    });
  }

  /**
   * What flows the node's agent has seen until now is forgotten when this is mended: it starts again, with the kernel's
   * programs as they are. Faults that are there together need it once.
   */
  flowsToForget(node: LabNode): Mend {
    this.#toForget.add(node);
    return async () => {
      if (this.#toForget.delete(node)) await this.restartAgent(node);
    };
  }

  /** The kernel's programs stay while nobody is there. */
  async restartAgent(node: LabNode, ...flags: readonly string[]): Promise<void> {
    const client = createAgentClient(agentSocket(node));
    const { pid } = await client.status();
    process.kill(pid, 'SIGTERM');
    await eventually('the agent has ended', () => !existsSync(`/proc/${pid}`));
    startAgent(node, flags);
    await eventually('the agent is there again', async () => {
      try {
        const now = (await client.status()).interfaces;
        return now.length > 0 && now.every(({ status }) => status.state === 'done');
      } catch (error) {
        if (errorCode(error)?.startsWith('AGENT_') === true) return false;
        throw error;
      }
    });
  }

  forgetConnections(node: string): void {
    forgetConnections(namespacePath(nodeNamespace({ name: node })));
  }

  /** Takes the policy away, as it is before the first field report's cure; several faults at once share its absence. */
  async withoutPolicy(): Promise<Mend> {
    this.#withoutPolicy++;
    if (this.#withoutPolicy === 1) {
      this.#policyBack = await this.objects.remove(POLICY_PATH);
      await this.untilRedirected(false);
    }
    return async () => {
      this.#withoutPolicy--;
      if (this.#withoutPolicy > 0) return;
      await this.#policyBack();
      await this.untilRedirected();
    };
  }

  /** `zerohop` with these words. */
  async run(...args: readonly string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
    const child = spawn(process.execPath, [MAIN, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: DOCTOR_TIMEOUT_MS,
    });
    const [stdout, stderr, status] = await Promise.all([
      textOf(child.stdout),
      textOf(child.stderr),
      new Promise<number | null>((resolve) => child.on('close', resolve)),
    ]);
    return { status, stdout, stderr };
  }

  /** The command itself, as somebody types it. */
  async doctor(...args: readonly string[]): Promise<DoctorRun> {
    const started = performance.now();
    const { status, stdout, stderr } = await this.run(
      'doctor',
      '-o',
      'json',
      '--timeout',
      PATIENCE_SECONDS,
      ...args,
    );
    const tookMs = performance.now() - started;
    this.tookMs.push(tookMs);
    if (status === null || status > 2 || !stdout.startsWith('{'))
      throw new Error(`zerohop doctor ended with ${status}: ${stderr}${stdout}`);
    const report = JSON.parse(stdout) as Report;
    if (report.exitCode !== status) throw new Error(`It says ${report.exitCode} and ended with ${status}`);
    return { report, exitCode: status, stderr, tookMs };
  }
}

export interface PodState {
  readonly address: string;
  readonly restarts: number;
  /** Its process runs. */
  readonly ready: boolean;
}

interface PodJson {
  readonly metadata: { readonly name: string };
  readonly status?: {
    readonly podIP?: string;
    readonly containerStatuses?: readonly {
      readonly ready?: boolean;
      readonly restartCount?: number;
      readonly state?: { readonly running?: unknown };
    }[];
  };
}

export function found(report: Report, id: string): readonly PlacedFinding[] {
  return report.findings.filter((finding) => finding.id === id);
}

export function podIn(report: Report, pod: string): PodVerdict | undefined {
  return report.pods.find((row) => row.pod === pod);
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await ended;
}

/** For what the kernel or a resolver does in its own time. */
export async function eventually(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 40_000; !(await look()); await sleep(50))
    if (Date.now() > deadline) throw new Error(`Not within 40 s: ${what}`);
}
