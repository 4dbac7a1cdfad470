/**
 * The agent with exactly the rights of its DaemonSet, on real interfaces and a cgroup of the test: what it is given is
 * enough, and of what is accounted for nothing is for show.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ANSWER_LAYOUT } from '../../src/answermap/answer-abi.gen.ts';
import { mountedCgroups } from '../../src/datapath/socket/cgroup-root.ts';
import { HeartbeatClient } from '../../src/heartbeat/heartbeat-client.ts';
import type { ShelfGrant } from '../../src/heartbeat/messages.ts';
import { createHeardLog } from '../../src/kube/testing/scripted-server.ts';
import { createApiServer } from '../../src/lab/api/http-server.ts';
import { parseAddressPort } from '../../src/net/port.ts';
import { systemClock } from '../../src/telemetry/clock.ts';
import { firstContainer, KUSTOMIZE, type Manifest } from './manifest.ts';

const PROGRAM = new URL('../../bin/zerohop', import.meta.url).pathname;
const POD_ADDRESS = '172.20.1.5';
const CACHE = parseAddressPort('172.20.1.9:53');
const daemonSet = parse(readFileSync(`${KUSTOMIZE}base/agent/daemon-set.yaml`, 'utf8')) as Manifest;
/** SYS_RESOURCE is for kernels before 5.11, and not every machine that runs tests has it to give. */
const granted = (firstContainer(daemonSet).securityContext.capabilities?.add ?? [])
  .map((name) => name.toLowerCase())
  .filter((name) => name !== 'sys_resource');

const home = mkdtempSync(join(tmpdir(), 'zerohop-rights-'));
const apiSocket = join(home, 'api.sock');
const [unified = ''] = mountedCgroups(readFileSync('/proc/self/mounts', 'utf8'));
const cgroup = join(unified, `zh-rights-${process.pid}`);
let listener: Server;
const running: ChildProcess[] = [];

/** A node's namespace with a pod's behind a veth, a policy engine's chain, a bpffs, and then the agent with its rights. */
const SCRIPT = `
set -e
ip link set lo up
mkdir -p "$HOME_DIR/bpf"
mount -t bpf bpf "$HOME_DIR/bpf"
unshare -n sleep 600 &
pod=$!
trap 'kill $pod' EXIT
until [ "$(readlink /proc/$pod/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.05; done
ip link add veth0 type veth peer name eth0 netns $pod
ip link set veth0 up
iptables-legacy -N cali-test
nsenter -t $pod -n ip address add ${POD_ADDRESS}/32 dev eth0
nsenter -t $pod -n ip link set eth0 up
setpriv --no-new-privs --bounding-set=$BOUNDS --inh-caps=$BOUNDS "$@" &
agent=$!
trap 'kill $agent' TERM
wait $agent || wait $agent || true
`;

beforeAll(async () => {
  mkdirSync(cgroup);
  writeFileSync(join(home, 'node.sh'), SCRIPT);
  const api = createApiServer({ clock: systemClock });
  listener = createServer(api.handler);
  await new Promise<void>((resolve) => listener.listen(apiSocket, resolve));
  const post = async (path: string, object: object) => {
    const { createKubeClient } = await import('../../src/kube/client.ts');
    const { endpointConfig } = await import('../../src/kube/config/load-kube-config.ts');
    const client = createKubeClient(endpointConfig(`unix://${apiSocket}`));
    await client.create(path, object);
    client.close();
  };
  await post('/api/v1/namespaces/default/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'netshoot', namespace: 'default' },
    spec: { nodeName: 'k8s-w1', containers: [{ name: 'c', image: 'i' }] },
    status: { phase: 'Running', podIP: POD_ADDRESS, podIPs: [{ ip: POD_ADDRESS }] },
  });
});

afterEach(async () => {
  for (const child of running.splice(0)) {
    // Where rights were missing it has ended by itself.
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }
});

afterAll(async () => {
  await new Promise((resolve) => {
    listener.close(resolve);
    listener.closeAllConnections();
  });
  rmdirSync(cgroup);
  rmSync(home, { recursive: true, force: true });
});

interface Started {
  readonly output: () => string;
  readonly status: () => Promise<string>;
}

function startAgent(name: string, capabilities: readonly string[], more: readonly string[] = []): Started {
  const directory = join(home, name);
  mkdirSync(directory);
  const socket = join(directory, 'agent.sock');
  const flags = ['--node-name', 'k8s-w1', '--api-server', `unix://${apiSocket}`, '--socket', socket];
  const places = ['--bpf-directory', join(directory, 'bpf', 'zerohop'), '--cgroup-root', cgroup];
  const sockets = ['--heartbeat-socket', join(directory, 'cache', 'beat.sock')];
  sockets.push('--hubble-socket-path', join(directory, 'hubble.sock'));
  const command = [PROGRAM, 'agent', ...flags, ...places, ...sockets, '--no-report-status', ...more];
  const BOUNDS = ['-all', ...capabilities.map((each) => `+${each}`)].join(',');
  const env = { ...process.env, HOME_DIR: directory, BOUNDS };
  const child = spawn('unshare', ['-n', '-m', 'sh', join(home, 'node.sh'), ...command], {
    env,
    stdio: 'pipe',
  });
  running.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => {
      output += String(text);
    });
  return {
    output: () => output,
    async status() {
      try {
        return (await promisify(execFile)(PROGRAM, ['status', '--server', socket])).stdout;
      } catch (error) {
        return `${(error as { stdout?: string }).stdout ?? ''}${output}`;
      }
    },
  };
}

describe('an agent with the capabilities of its manifest', () => {
  it('gets ready, and hangs its programs on the interface of a pod', async () => {
    const agent = startAgent('granted', granted);
    await expect.poll(agent.status, { timeout: 40_000, interval: 300 }).toMatch(/^Interfaces +1: 1 done$/m);
    await expect.poll(agent.status, { timeout: 40_000, interval: 300 }).toMatch(/^Ready +yes$/m);
    expect(await agent.status()).toMatch(/^Delivery +stack: .*Calico/m);
    expect(await agent.status()).not.toContain('packets that the kernel drops are not among them');
    expect(agent.output()).not.toMatch(/EPERM|EACCES|CAP_/);
  });

  it('makes the memory for kernel answers, and tells why a pod gets none', async () => {
    const agent = startAgent('answers', granted, ['--kernel-answers=10000']);
    await expect.poll(agent.status, { timeout: 40_000, interval: 300 }).toMatch(/^Ready +yes$/m);
    if (CACHE === undefined) throw new Error('no address');
    const grants: (ShelfGrant | undefined)[] = [];
    const cache = new HeartbeatClient({
      ...{ path: join(home, 'answers', 'cache', 'beat.sock'), clock: systemClock, log: createHeardLog() },
      ...{ nowNs: process.hrtime.bigint, threads: 0, useRow: async () => undefined },
      presence: () => ({ addresses: [CACHE.address], ports: [CACHE.port] }),
      answers: { layout: ANSWER_LAYOUT, listeners: () => [], useShelf: (shelf) => grants.push(shelf) },
    });
    cache.start();
    try {
      await expect.poll(() => grants, { timeout: 20_000 }).toMatchObject([{ smallSlots: 10_000 }]);
      await expect
        .poll(agent.status, { timeout: 40_000, interval: 300 })
        .toMatch(/1 without: .* through the stack.*: default\/netshoot$/m);
      expect(agent.output()).not.toMatch(/EPERM|EACCES|CAP_/);
    } finally {
      cache.close();
    }
  });

  it('cannot know what netfilter holds without net_raw, and says so', async () => {
    const agent = startAgent(
      'without-net_raw',
      granted.filter((name) => name !== 'net_raw'),
    );
    await expect
      .poll(agent.status, { timeout: 40_000, interval: 300 })
      .toMatch(/^Delivery .*iptables-legacy-save/m);
  });

  it.each(['bpf', 'net_admin', 'perfmon', 'net_broadcast'])(
    'misses %s when it is taken away',
    async (name) => {
      const agent = startAgent(
        `without-${name}`,
        granted.filter((each) => each !== name),
      );
      await expect.poll(agent.output, { timeout: 40_000 }).toMatch(/EPERM|EACCES|CAP_/);
    },
  );
});
