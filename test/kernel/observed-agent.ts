/**
 * A node with two pods, an API server that knows them, and a real `zerohop agent` process on it, whose Hubble API is asked from
 * outside. Namespaces, bpffs, sockets and processes are the test's own and go with `close`. Needs root.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AgentClient, createAgentClient } from '../../src/agent/client.ts';
import type { AgentStatus } from '../../src/agent/wire.ts';
import { ABI_VERSION } from '../../src/datapath/kernel/abi.gen.ts';
import { TestNetwork, type TestPod } from '../../src/datapath/testing/test-network.ts';
import { type ApiServer, createApiServer } from '../../src/lab/api/http-server.ts';
import { openPinned } from '../../src/sys/bpf.ts';
import { openLibc, PROT_READ } from '../../src/sys/libc.ts';
import { pageSize } from '../../src/sys/page-size.ts';
import { systemClock } from '../../src/telemetry/clock.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/boot/zerohop.mjs');
const NODE = 'worker-1';
const READY_MS = 30_000;
/** What the pod that serves answers to every question. */
export const ANSWER = '192.0.2.20';

export class ObservedAgent {
  readonly directory = mkdtempSync(join(tmpdir(), 'zerohop-observed-'));
  readonly network: TestNetwork;
  readonly client: TestPod;
  readonly server: TestPod;
  readonly socket = join(this.directory, 'agent.sock');
  readonly hubbleSocket = join(this.directory, 'hubble', 'hubble.sock');
  readonly hubble = `unix://${this.hubbleSocket}`;
  readonly agent: AgentClient = createAgentClient(this.socket);
  readonly pinDirectory: string;
  readonly #api: ApiServer = createApiServer({ clock: systemClock });
  readonly #listener: Server = createServer(this.#api.handler);
  #child: ChildProcess | undefined;
  #words = '';

  private constructor(label: string) {
    this.network = new TestNetwork(label);
    this.client = this.network.addPod('client', '172.20.0.10');
    this.server = this.network.addPod('server', '172.20.0.20');
    this.pinDirectory = join(this.network.mountBpffs(), 'node');
  }

  /** `flags` beside those that keep it to this node. */
  static async open(label: string, ...flags: readonly string[]): Promise<ObservedAgent> {
    const rig = new ObservedAgent(label);
    try {
      await new Promise<void>((resolve) => rig.#listener.listen(join(rig.directory, 'api.sock'), resolve));
      rig.#fill();
      await rig.network.serve(rig.server.netns, rig.server.address, ANSWER);
      await rig.#start(flags);
    } catch (error) {
      await rig.close();
      throw error;
    }
    return rig;
  }

  /** A query of the client's and its answer. */
  dig(name: string, ...more: readonly string[]): string {
    return this.network.dig(this.client, `@${this.server.address}`, name, ...more);
  }

  /** Of the agent's process. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Resident, in bytes. */
  memory(): number {
    const [, kb = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8')) ?? [];
    return Number(kb) * 1024;
  }

  /** What the programs have ever written to the ring of events. */
  eventBytes(): bigint {
    const fd = openPinned(join(this.pinDirectory, `abi-${ABI_VERSION}`, 'maps', 'events'));
    if (fd === undefined) throw new Error('There is no ring of events');
    const libc = openLibc();
    try {
      // The producer's position is the first word of its page, the second (kernel documentation, bpf/ringbuf).
      const mapping = libc.mmap(fd, pageSize(), PROT_READ, pageSize());
      if (typeof mapping === 'number') throw new Error(`Cannot map the ring: ${mapping}`);
      const [position = 0n] = new BigUint64Array(mapping.memory, 0, 1);
      mapping.unmap();
      return position;
    } finally {
      libc.close(fd);
    }
  }

  /** As prefix of a command: runs it where the agent's TCP listener is. */
  get within(): readonly string[] {
    return ['nsenter', `--net=/run/netns/${this.network.node}`];
  }

  async close(): Promise<void> {
    await this.network.close();
    this.#api.close();
    this.#listener.closeAllConnections();
    await new Promise((resolve) => this.#listener.close(resolve));
    rmSync(this.directory, { recursive: true, force: true });
  }

  #fill(): void {
    const { store } = this.#api;
    for (const name of ['default', 'shop'])
      store.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    store.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } });
    const addresses = [{ type: 'InternalIP', address: '192.0.2.1' }];
    store.replaceStatus({ kind: 'Node', name: NODE }, { addresses });
    for (const { name, address } of [this.client, this.server]) {
      const metadata = { name, namespace: 'shop', labels: { app: name } };
      const spec = { nodeName: NODE, containers: [{ name: 'c', image: 'i' }] };
      store.apply({ apiVersion: 'v1', kind: 'Pod', metadata, spec });
      const conditions = [{ type: 'Ready', status: 'True' }];
      const status = { phase: 'Running', podIP: address, podIPs: [{ ip: address }], conditions };
      store.replaceStatus({ kind: 'Pod', namespace: 'shop', name }, status);
    }
  }

  async #start(flags: readonly string[]): Promise<void> {
    const own = [
      ...['--node-name', NODE, '--api-server', `unix://${join(this.directory, 'api.sock')}`],
      ...['--socket', this.socket, '--bpf-directory', this.pinDirectory],
      ...['--hubble-socket-path', this.hubbleSocket],
      ...['--heartbeat-socket', 'off', '--probe', 'off', '--socket-redirect', 'off', '--no-report-status'],
    ];
    const child = this.network.spawn(this.network.node, process.execPath, MAIN, 'agent', ...own, ...flags);
    this.#child = child;
    child.stdout?.on('data', (text) => {
      this.#words += String(text);
    });
    for (const deadline = Date.now() + READY_MS; ; await sleep(20)) {
      const status = await this.agent.status().catch(() => undefined);
      if (status !== undefined && isReady(status)) return;
      if (Date.now() > deadline || child.exitCode !== null)
        throw new Error(`The agent is not ready: ${this.#words.slice(-2000)}`);
    }
  }
}

function isReady({ interfaces }: AgentStatus): boolean {
  return interfaces.length === 2 && interfaces.every(({ status }) => status.state === 'done');
}
