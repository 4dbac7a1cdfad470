/**
 * Test support: a node and its pods as network namespaces with routed veth pairs, on one machine. Everything is named
 * `zh-test-<pid>-…` and removed by `close`. Processes run inside through nsenter, because
 * `ip netns exec` would hide the bpffs.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLibc } from '../../sys/libc.ts';

const RESPONDER = join(import.meta.dirname, 'test-responder.ts');
const GATEWAY = '172.20.0.1';
const GATEWAY6 = 'fd00::1';

const CLONE_NEWNET = 0x40000000;

export const silentLog = { info: () => undefined, warning: () => undefined, error: () => undefined };

export interface TestPod {
  readonly name: string;
  readonly netns: string;
  readonly address: string;
  /** Host side. */
  readonly ifname: string;
}

export class TestNetwork {
  readonly node: string;
  readonly #prefix: string;
  readonly #namespaces: string[] = [];
  readonly #children = new Set<ChildProcess>();
  readonly #mounts: string[] = [];
  readonly #home = openSync('/proc/thread-self/ns/net', 'r');
  #pods = 0;

  constructor(label: string) {
    this.#prefix = `zh-test-${process.pid}-${label}`;
    this.node = this.#addNamespace('node');
    const sysctls = [
      'net.ipv4.ip_forward=1',
      'net.ipv4.conf.all.rp_filter=0',
      'net.ipv6.conf.all.forwarding=1',
    ];
    this.inNode('sysctl', '-qw', ...sysctls);
  }

  addPod(name: string, address: string): TestPod {
    const netns = this.#addNamespace(name);
    const pod = { name, netns, address, ifname: `v${this.#pods++}` };
    this.#connect(pod);
    return pod;
  }

  /** Another veth, of the same name, in place of a routed pod's, as after a restart of its sandbox. */
  replaceInterface(pod: TestPod): void {
    this.inNode('ip', 'link', 'del', pod.ifname);
    this.#connect(pod);
  }

  #connect({ netns, address, ifname }: TestPod): void {
    ip('link', 'add', ifname, 'netns', this.node, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns);
    ip('-n', this.node, 'addr', 'add', `${GATEWAY}/32`, 'dev', ifname);
    ip('-n', this.node, 'link', 'set', ifname, 'up');
    ip('-n', this.node, 'route', 'add', `${address}/32`, 'dev', ifname);
    ip('-n', netns, 'addr', 'add', `${address}/32`, 'dev', 'eth0');
    ip('-n', netns, 'link', 'set', 'eth0', 'up');
    ip('-n', netns, 'route', 'add', 'default', 'via', GATEWAY, 'dev', 'eth0', 'onlink');
  }

  /** A bridge of the node that pods are ports of; its own address is their gateway. */
  addBridge(name: string, addresses: readonly string[]): void {
    ip('-n', this.node, 'link', 'add', name, 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0');
    for (const address of addresses)
      ip('-n', this.node, 'addr', 'add', address, 'dev', name, ...(address.includes(':') ? ['nodad'] : []));
    ip('-n', this.node, 'link', 'set', name, 'up');
  }

  /** A pod as bridge CNIs make it: its veth is a port of the bridge, the node has no route to the pod alone. */
  addBridgedPod(
    name: string,
    bridge: string,
    addresses: readonly string[],
    gateways: readonly string[],
  ): TestPod {
    const netns = this.#addNamespace(name);
    const ifname = `v${this.#pods++}`;
    ip('link', 'add', ifname, 'netns', this.node, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns);
    ip('-n', this.node, 'link', 'set', ifname, 'master', bridge, 'up');
    for (const address of addresses)
      ip('-n', netns, 'addr', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : []));
    ip('-n', netns, 'link', 'set', 'eth0', 'up');
    for (const gateway of gateways) ip('-n', netns, 'route', 'add', 'default', 'via', gateway, 'dev', 'eth0');
    return { name, netns, address: addresses[0]?.split('/')[0] ?? '', ifname };
  }

  /** A second address for a pod, routed as the first one is. */
  addIpv6(pod: TestPod, address: string): void {
    ip('-n', this.node, 'addr', 'add', `${GATEWAY6}/128`, 'dev', pod.ifname, 'nodad');
    ip('-n', this.node, 'route', 'add', `${address}/128`, 'dev', pod.ifname);
    ip('-n', pod.netns, 'addr', 'add', `${address}/128`, 'dev', 'eth0', 'nodad');
    ip('-n', pod.netns, 'route', 'add', 'default', 'via', GATEWAY6, 'dev', 'eth0', 'onlink');
  }

  /** Moves this thread into the node's namespace, where the datapath must be opened; `close` brings it back. */
  enterNode(): void {
    const fd = openSync(`/run/netns/${this.node}`, 'r');
    openLibc().setns(fd, CLONE_NEWNET);
    closeSync(fd);
  }

  /** What kube-proxy does with the VIP: translate it, in the node, to one endpoint. */
  translate(vip: string, to: string): void {
    const rules = ['udp', 'tcp']
      .map((protocol) => `ip daddr ${vip} ${protocol} dport 53 dnat to ${to}:53`)
      .join('\n');
    const table = `table ip nat { chain prerouting { type nat hook prerouting priority -100;\n${rules}\n}\n}\n`;
    execFileSync('nsenter', [`--net=/run/netns/${this.node}`, 'nft', '-f', '-'], { input: table });
  }

  inNode(...command: readonly string[]): string {
    return this.run(this.node, ...command);
  }

  /** Standard output; throws when the command fails. */
  run(netns: string, ...command: readonly string[]): string {
    return execFileSync('nsenter', [`--net=/run/netns/${netns}`, ...command], { encoding: 'utf8' });
  }

  /** The answer of `dig`, or what it said instead. */
  dig(pod: TestPod, ...parameters: readonly string[]): string {
    const command = [`--net=/run/netns/${pod.netns}`, 'dig', '+short', '+tries=1', '+time=10', ...parameters];
    const { stdout } = spawnSync('nsenter', command, { encoding: 'utf8' });
    return stdout.trim();
  }

  /** A DNS server that gives one address to every question, on UDP and TCP port 53; resolves when it listens. */
  async serve(netns: string, address: string, answer: string): Promise<ChildProcess> {
    const child = this.spawn(netns, process.execPath, RESPONDER, address, answer);
    await new Promise<void>((resolve, reject) => {
      child.stdout?.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`The responder of ${address} ended with ${code}`)));
    });
    return child;
  }

  spawn(netns: string, ...command: readonly string[]): ChildProcess {
    const stdio: ['pipe', 'pipe', 'inherit'] = ['pipe', 'pipe', 'inherit'];
    const child = spawn('nsenter', [`--net=/run/netns/${netns}`, ...command], { stdio });
    this.#children.add(child);
    return child;
  }

  /** kill -9, and gone when it returns. */
  async kill(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    this.#children.delete(child);
  }

  /** An empty directory that is a bpffs of its own. */
  mountBpffs(): string {
    const directory = mkdtempSync(join(tmpdir(), 'zh-test-bpf-'));
    if (openLibc().mount('bpf', directory, 'bpf') < 0) throw new Error('Cannot mount a bpffs');
    this.#mounts.push(directory);
    return directory;
  }

  async close(): Promise<void> {
    openLibc().setns(this.#home, CLONE_NEWNET);
    closeSync(this.#home);
    for (const child of this.#children) await this.kill(child);
    for (const name of this.#namespaces) spawnSync('ip', ['netns', 'del', name]);
    for (const directory of this.#mounts) {
      openLibc().umount(directory);
      rmdirSync(directory);
    }
  }

  #addNamespace(label: string): string {
    const name = `${this.#prefix}-${label}`;
    spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
    ip('netns', 'add', name);
    this.#namespaces.push(name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
    return name;
  }
}

function ip(...parameters: readonly string[]): void {
  execFileSync('ip', [...parameters]);
}
