/**
 * A node as the components for Hubble, its relay and metrics make it: agent and relay with the arguments of their manifests
 * and certificates made as docs/install.md says, beside a pod that asks. What a client gets by way of the relay is what the
 * pod did; who has no certificate gets nothing; and the metrics are a page that a scraper can read.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { mountedCgroups } from '../../src/datapath/socket/cgroup-root.ts';
import { createKubeClient } from '../../src/kube/client.ts';
import { endpointConfig } from '../../src/kube/config/load-kube-config.ts';
import { createApiServer } from '../../src/lab/api/http-server.ts';
import { systemClock } from '../../src/telemetry/clock.ts';
import { parseExposition } from '../../src/telemetry/testing/parse-exposition.ts';
import { renderChart } from './chart-template.ts';
import { find, firstContainer, toManifests } from './manifest.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const PROGRAM = join(ROOT, 'bin', 'zerohop');
const NODE = 'k8s.w1';
const NODE_ADDRESS = '192.0.2.1';
const POD_ADDRESS = '172.20.1.5';
const SERVICE = '10.96.0.10';

const home = mkdtempSync(join(tmpdir(), 'zerohop-observed-'));
const apiSocket = join(home, 'api.sock');
const [unified = ''] = mountedCgroups(readFileSync('/proc/self/mounts', 'utf8'));
const cgroup = join(unified, `zh-observed-${process.pid}`);
let listener: Server;
let node: ChildProcess;
let output = '';

/**
 * Says the pids of the namespaces, then starts what it is given: agent and relay, a line of arguments each. Ends with its
 * input, and everything in it with it.
 */
const SCRIPT = `
set -e
ip link set lo up
ip address add ${NODE_ADDRESS}/32 dev lo
mkdir -p "$HOME_DIR/bpf"
mount -t bpf bpf "$HOME_DIR/bpf"
unshare -n sleep 600 &
pod=$!
children=$pod
trap 'kill $children 2>/dev/null' EXIT
until [ "$(readlink /proc/$pod/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.05; done
ip link add veth0 address 02:00:00:00:00:07 type veth peer name eth0 netns $pod
ip link set veth0 up
nsenter -t $pod -n ip address add ${POD_ADDRESS}/32 dev eth0
nsenter -t $pod -n ip link set eth0 up
nsenter -t $pod -n ip route add ${SERVICE} dev eth0
nsenter -t $pod -n ip neighbour add ${SERVICE} lladdr 02:00:00:00:00:07 dev eth0
echo "namespaces $$ $pod"
"$PROGRAM" agent $AGENT_ARGS < /dev/null &
children="$children $!"
"$PROGRAM" relay $RELAY_ARGS < /dev/null &
children="$children $!"
cat > /dev/null
kill $children
wait
`;

/** The commands of the page, in a directory, with Secrets printed instead of sent. */
function makeSecrets(): void {
  const page = readFileSync(join(ROOT, 'docs', 'install.md'), 'utf8');
  const recipe = /With openssl:\n\n```sh\n(.*?)```/s.exec(page)?.[1] ?? '';
  const printed = recipe.replaceAll(
    'kubectl -n kube-system create',
    'echo "---"; kubectl -n kube-system create --dry-run=client -o yaml',
  );
  const text = execFileSync('sh', ['-ec', printed], { cwd: home, encoding: 'utf8', stdio: 'pipe' });
  for (const { metadata, data } of toManifests(parseAllDocuments(text), 'install.md')) {
    mkdirSync(join(home, metadata.name));
    for (const [name, value] of Object.entries(data as Record<string, string>))
      writeFileSync(join(home, metadata.name, name), Buffer.from(value, 'base64'));
  }
}

/** Of the chart's objects, with the places of a container put to those of the test. */
function argumentsOf(kind: 'DaemonSet' | 'Deployment', name: string, places: Record<string, string>): string {
  const values = { agent: { metrics: { enabled: true } }, hubble: { relay: { enabled: true } } };
  const { args = [] } = firstContainer(find(renderChart(values).objects, kind, name));
  return args
    .slice(1)
    .map((arg) => Object.entries(places).reduce((text, [from, to]) => text.replace(from, to), arg))
    .join(' ');
}

beforeAll(async () => {
  mkdirSync(cgroup);
  makeSecrets();
  const api = createApiServer({ clock: systemClock });
  listener = createServer(api.handler);
  await new Promise<void>((resolve) => listener.listen(apiSocket, resolve));
  await fillCluster();
  const agent = [
    argumentsOf('DaemonSet', 'zerohop-agent', {
      '/host/sys/fs/bpf': join(home, 'bpf'),
      '/etc/zerohop/hubble': join(home, 'zerohop-hubble-server-certs'),
    }),
    `--node-name ${NODE} --api-server unix://${apiSocket} --socket ${join(home, 'agent.sock')}`,
    `--cgroup-root ${cgroup} --heartbeat-socket off --no-report-status --hubble-socket-path ${join(home, 'hubble.sock')}`,
  ].join(' ');
  const relay = argumentsOf('Deployment', 'zerohop-relay', {
    'zerohop-hubble-peer.kube-system.svc.cluster.local:443': `${NODE_ADDRESS}:4244`,
    '/etc/zerohop/hubble-client': join(home, 'zerohop-hubble-relay-client-certs'),
  });
  node = spawn('unshare', ['-n', '-m', 'sh', '-c', SCRIPT], {
    env: { ...process.env, HOME_DIR: home, PROGRAM, AGENT_ARGS: agent, RELAY_ARGS: relay },
    stdio: 'pipe',
  });
  for (const stream of [node.stdout, node.stderr])
    stream?.on('data', (text) => {
      output += String(text);
    });
}, 60_000);

afterAll(async () => {
  const ended = new Promise((resolve) => node.once('exit', resolve));
  node.stdin?.end();
  await ended;
  await new Promise((resolve) => {
    listener.close(resolve);
    listener.closeAllConnections();
  });
  rmdirSync(cgroup);
  rmSync(home, { recursive: true, force: true });
}, 60_000);

async function fillCluster(): Promise<void> {
  const client = createKubeClient(endpointConfig(`unix://${apiSocket}`));
  const post = (path: string, text: string) => client.create(path, parse(text) as object);
  await post(
    '/api/v1/nodes',
    `{apiVersion: v1, kind: Node, metadata: {name: ${NODE}}, status: {addresses: [{type: InternalIP, address: ${NODE_ADDRESS}}]}}`,
  );
  await post(
    '/api/v1/namespaces/default/pods',
    `{apiVersion: v1, kind: Pod, metadata: {name: netshoot, namespace: default}, spec: {nodeName: ${NODE},
      containers: [{name: c, image: i}]}, status: {phase: Running, podIP: ${POD_ADDRESS}, podIPs: [{ip: ${POD_ADDRESS}}]}}`,
  );
  client.close();
}

/** In the network of the node, or of its pod. */
async function within(where: 'node' | 'pod', ...command: readonly string[]): Promise<string> {
  await expect.poll(() => output, { timeout: 20_000 }).toMatch(/^namespaces \d+ \d+$/m);
  const [, first = '', second = ''] = /^namespaces (\d+) (\d+)$/m.exec(output) ?? [];
  const pid = where === 'node' ? first : second;
  const { stdout } = await promisify(execFile)('nsenter', ['-t', pid, '-n', ...command]);
  return stdout;
}

/** Asks as a client of ours asks; what it threw stands in the answer. */
async function ask(target: string, tls: object | undefined, question: string): Promise<string> {
  const script = `
    import { openHubble } from ${JSON.stringify(join(ROOT, 'src/hubble/client.ts'))};
    const hubble = openHubble(${JSON.stringify(target)}, ${JSON.stringify(tls)});
    try {
      ${question}
    } catch (error) {
      console.log('failed', error.code);
    }
    hubble.close();
  `;
  return await within('node', process.execPath, '--input-type=module', '-e', script);
}

const NODES =
  'console.log(JSON.stringify((await hubble.nodes()).map(({ name, state, tls }) => ({ name, state, tls }))))';
const FLOWS = `
  const request = { number: '200', whitelist: [{ protocol: ['dns'] }] };
  for await (const { flow } of hubble.flows(request, AbortSignal.timeout(5000))) if (flow) console.log(flow.node_name, flow.source.pod_name, flow.Summary);
`;

describe('a node that is observed by way of a relay', { timeout: 120_000 }, () => {
  const authority = () => join(home, 'zerohop-hubble-relay-client-certs', 'ca.crt');

  it('is known to the relay by its certificate', async () => {
    const tls = { enabled: true, serverName: 'k8s-w1.default.hubble-grpc.cilium.io' };
    await expect
      .poll(() => ask('127.0.0.1:4245', undefined, NODES), { timeout: 60_000, interval: 500 })
      .toBe(`${JSON.stringify([{ name: NODE, state: 'NODE_CONNECTED', tls }])}\n`);
  });

  it('tells through it what its pod asked for', async () => {
    const seen = async () => {
      await within('pod', 'dig', '+tries=1', '+timeout=1', `@${SERVICE}`, 'example.org').catch(
        () => undefined,
      );
      return await ask('127.0.0.1:4245', undefined, FLOWS);
    };
    await expect
      .poll(seen, { timeout: 60_000, interval: 500 })
      .toContain(`${NODE} netshoot DNS Query example.org. A\n`);
  });

  it('tells nobody who has no certificate, and nobody in the clear', async () => {
    const serverName = 'k8s-w1.default.hubble-grpc.cilium.io';
    const target = `${NODE_ADDRESS}:4244`;
    expect(await ask(target, undefined, NODES)).toBe('failed HUBBLE_UNREACHABLE\n');
    expect(await ask(target, { caFiles: [authority()], serverName }, NODES)).toBe(
      'failed HUBBLE_UNREACHABLE\n',
    );
    const client = join(home, 'zerohop-hubble-relay-client-certs');
    const files = { certFile: join(client, 'tls.crt'), keyFile: join(client, 'tls.key') };
    const known = { caFiles: [authority()], serverName, ...files };
    expect(await ask(target, known, NODES)).toContain('NODE_CONNECTED');
    // A server's certificate is none for a client.
    const server = join(home, 'zerohop-hubble-server-certs');
    const wrong = { ...known, certFile: join(server, 'tls.crt'), keyFile: join(server, 'tls.key') };
    expect(await ask(target, wrong, NODES)).toBe('failed HUBBLE_UNREACHABLE\n');
  });

  it('has metrics that a scraper can read, of what the pod did', async () => {
    const fetching = 'process.stdout.write(await (await fetch("http://127.0.0.1:9965/metrics")).text())';
    const text = await within('node', process.execPath, '--input-type=module', '-e', fetching);
    const families = parseExposition(text);
    const total = (name: string, labels: Readonly<Record<string, string>>) =>
      (families.get(name)?.samples ?? [])
        .filter((each) => Object.entries(labels).every(([label, value]) => each.labels[label] === value))
        .reduce((sum, { value }) => sum + value, 0);
    const queries = total('hubble_dns_queries_total', { qtypes: 'A', rcode: '' });
    expect(queries).toBeGreaterThan(0);
    expect(total('hubble_flows_processed_total', { type: 'L7', subtype: 'DNS' })).toBe(queries);
    expect(total('hubble_flows_processed_total', { type: 'Trace', subtype: 'from-endpoint' })).toBe(queries);
    expect(total('hubble_port_distribution_total', { protocol: 'UDP', port: '53' })).toBe(2 * queries);
    expect(total('zerohop_client_dns_queries_total', { namespace: 'default', pod: 'netshoot' })).toBe(
      queries,
    );
    expect(total('hubble_lost_events_total', { source: 'perf_event_ring_buffer' })).toBe(0);
    expect(documented()).toEqual(new Set([...families.keys()]));
  });
});

/** Families that docs/flows.md has a row for. */
function documented(): ReadonlySet<string> {
  const page = readFileSync(join(ROOT, 'docs', 'flows.md'), 'utf8');
  return new Set(
    [...page.matchAll(/^\| `((?:hubble|zerohop|process|nodejs)_[a-z0-9_]+)` \|/gm)].map(
      (row) => row[1] ?? '',
    ),
  );
}
