/**
 * Test support: a node with a cache pod and the cluster's DNS behind a stand-in for kube-proxy, on both families, and
 * processes in a cgroup of the test. Programs hang on that cgroup only, so nothing else on this machine ever meets them.
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Ip, parseIp } from '../../../net/ip.ts';
import { type Port, type Protocol, toPort } from '../../../net/port.ts';
import type { Frontend } from '../../../policy/table.ts';
import { namespaceCookie } from '../../../sys/netns/namespaces.ts';
import { systemClock } from '../../../telemetry/clock.ts';
import type { Datapath, DatapathSpec } from '../../datapath.ts';
import { openDatapath } from '../../open-datapath.ts';
import { silentLog, TestNetwork, type TestPod } from '../../testing/test-network.ts';
import { mountedCgroups } from '../cgroup-root.ts';
import type { OtherBackends } from '../other-backends.ts';
import type { SocketScope } from '../socket-status.ts';
import type { ClientCommand, ClientResult } from './socket-client.ts';

const CLIENT = join(import.meta.dirname, 'socket-client.ts');

export const VIP = '10.96.0.10';
export const VIP6 = 'fd00:10::a';
export const OTHER_VIP = '10.96.0.11';
export const CACHE = '172.20.0.2';
export const CACHE6 = 'fd00::2';
/** What the cache and the cluster's DNS answer: tells who it was. */
export const BY_CACHE = '192.0.2.1';
export const BY_CLUSTER = '192.0.2.99';
export const CLUSTER = '172.20.0.3';
const CLUSTER6 = 'fd00::3';

/** A process that does what it is told. */
export class SocketClient {
  readonly #child: ChildProcess;
  readonly #results: AsyncIterator<string>;
  readonly #lines: Interface;

  constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null) throw new Error('No output to read');
    this.#lines = createInterface({ input: child.stdout });
    this.#results = this.#lines[Symbol.asyncIterator]();
  }

  async do(command: ClientCommand): Promise<ClientResult> {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
    const { value, done } = await this.#results.next();
    if (done === true) throw new Error('The client has ended');
    return JSON.parse(value as string) as ClientResult;
  }

  close(): void {
    this.#lines.close();
  }

  get process(): ChildProcess {
    return this.#child;
  }
}

export class SocketRig {
  readonly network: TestNetwork;
  readonly cache: TestPod;
  readonly cluster: TestPod;
  readonly cgroup: string;
  /** Where the datapath pins. */
  readonly pins: string;
  readonly #clients: SocketClient[] = [];
  readonly #inner: string[] = [];
  /** Where this process came from; empty when it never left. */
  readonly #root: string;
  #datapath: Datapath | undefined;

  /** `inside`: this process is one of the cgroup, as an agent is, and so are those it starts. */
  constructor(label: string, place: 'inside' | 'outside' = 'outside') {
    const [root] = mountedCgroups(readFileSync('/proc/self/mounts', 'utf8'));
    if (root === undefined)
      throw new Error('cgroup v2 is not mounted: mount -t cgroup2 none /sys/fs/cgroup/unified');
    this.cgroup = join(root, `zh-test-${process.pid}-${label}`);
    mkdirSync(this.cgroup, { recursive: true });
    // Before Linux 5.14 the agent's own programs tell it the cookie, which they can only below their cgroup.
    this.#root = place === 'inside' || namespaceCookie() === undefined ? root : '';
    if (this.#root !== '') writeFileSync(join(this.cgroup, 'cgroup.procs'), String(process.pid));
    this.network = new TestNetwork(label);
    this.cache = this.network.addPod('cache', CACHE);
    this.network.addIpv6(this.cache, CACHE6);
    this.cluster = this.network.addPod('dns', CLUSTER);
    this.network.addIpv6(this.cluster, CLUSTER6);
    this.#proxyServices();
    this.pins = join(this.network.mountBpffs(), 'node');
    this.network.enterNode();
  }

  get datapath(): Datapath {
    if (this.#datapath === undefined) throw new Error('No datapath is open');
    return this.#datapath;
  }

  async startServers(): Promise<void> {
    await Promise.all([
      this.network.serve(this.cluster.netns, CLUSTER, BY_CLUSTER),
      this.network.serve(this.cluster.netns, CLUSTER6, BY_CLUSTER),
    ]);
  }

  /** The cache on both families. */
  startCache(): Promise<readonly ChildProcess[]> {
    return Promise.all([
      this.network.serve(this.cache.netns, CACHE, BY_CACHE),
      this.network.serve(this.cache.netns, CACHE6, BY_CACHE),
    ]);
  }

  open(scope: SocketScope | 'off' = 'host', moveFrom?: OtherBackends): Datapath {
    this.#datapath?.close();
    this.#datapath = openDatapath({
      pinDirectory: this.pins,
      log: silentLog,
      clock: systemClock,
      socketRedirect: { scope, cgroupRoot: this.cgroup, ...(moveFrom && { moveFrom }) },
    });
    return this.#datapath;
  }

  /** Another agent at the same cgroup and in the same namespace; the caller removes it. */
  openSecond(): Datapath {
    return openDatapath({
      pinDirectory: `${this.pins}-second`,
      log: silentLog,
      clock: systemClock,
      socketRedirect: { scope: 'host', cgroupRoot: this.cgroup },
    });
  }

  /** In the cgroup of the test, a new one in it, or with `..` outside of it; in the node's namespace or a pod's. */
  client(netns = this.network.node, inner = '.'): SocketClient {
    const cgroup = join(this.cgroup, inner);
    mkdirSync(cgroup, { recursive: true });
    if (inner !== '.' && inner !== '..') this.#inner.push(cgroup);
    const enter = `echo $$ > ${cgroup}/cgroup.procs && exec "$0" "$@"`;
    const child = this.network.spawn(netns, 'sh', '-c', enter, process.execPath, CLIENT);
    const client = new SocketClient(child);
    this.#clients.push(client);
    return client;
  }

  /** kill -9, and gone when it returns. */
  kill(client: SocketClient): Promise<void> {
    return this.network.kill(client.process);
  }

  /** Standard output of a command in the cgroup of the test and in the node's namespace. */
  run(...command: readonly string[]): string {
    const join = `echo $$ > ${this.cgroup}/cgroup.procs && exec "$0" "$@"`;
    return this.network.inNode('sh', '-c', join, ...command).trim();
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    this.#datapath?.remove();
    await this.network.close();
    if (this.#root !== '') writeFileSync(join(this.#root, 'cgroup.procs'), String(process.pid));
    for (let attempt = 0; ; attempt++) {
      try {
        for (const cgroup of [...this.#inner, this.cgroup]) if (existsSync(cgroup)) rmdirSync(cgroup);
        return;
      } catch (error) {
        // A process that was killed a moment ago is still there until it has been buried.
        if (attempt === 100) throw error;
        await sleep(50);
      }
    }
  }

  /** kube-proxy for the host and for pods: the VIPs lead to the cluster's DNS. */
  #proxyServices(): void {
    const { node } = this.network;
    const { ifname } = this.cluster;
    execFileSync('ip', ['-n', node, 'route', 'add', '10.96.0.0/16', 'via', CLUSTER, 'dev', ifname, 'onlink']);
    execFileSync('ip', [
      '-n',
      node,
      'route',
      'add',
      'fd00:10::/64',
      'via',
      CLUSTER6,
      'dev',
      ifname,
      'onlink',
    ]);
    const rules = ['udp', 'tcp'].flatMap((protocol) => [
      `ip daddr { ${VIP}, ${OTHER_VIP} } ${protocol} dport 53 dnat ip to ${CLUSTER}:53`,
      `ip6 daddr ${VIP6} ${protocol} dport 53 dnat ip6 to [${CLUSTER6}]:53`,
    ]);
    const chain = (hook: string) =>
      `chain ${hook} { type nat hook ${hook} priority -100;\n${rules.join('\n')}\n}`;
    const table = `table inet proxy {\n${chain('output')}\n${chain('prerouting')}\n}\n`;
    execFileSync('nsenter', [`--net=/run/netns/${node}`, 'nft', '-f', '-'], { input: table });
  }
}

export function frontend(
  address: string,
  protocol: Protocol,
  backends: readonly string[] = [CACHE],
): Frontend {
  const port = portOf(53);
  return {
    ...{ address: ip(address), port, protocol, type: 'LocalRedirect', service: 'kube-system/kube-dns' },
    policy: 'kube-system/nodelocaldns',
    backends: backends.map((backend) => ({ address: ip(backend), port, protocol, state: 'active' })),
  };
}

/** Both VIPs on both protocols lead to the cache. */
export function bothFamilies(more: Partial<DatapathSpec> = {}): DatapathSpec {
  const protocols: readonly Protocol[] = ['UDP', 'TCP'];
  const frontends = protocols.flatMap((protocol) => [
    frontend(VIP, protocol),
    frontend(VIP6, protocol, [CACHE6]),
  ]);
  return { frontends, pods: [], mayPrune: true, ...more };
}

export function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`No address: ${text}`);
  return parsed;
}

export function portOf(number: number): Port {
  const port = toPort(number);
  if (port === undefined) throw new Error(`No port: ${number}`);
  return port;
}
