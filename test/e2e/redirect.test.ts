/** The policy from the outside: kubectl in, dig and observe out, on the running lab. Needs root. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAgentClient } from '../../src/agent/client.ts';
import { eventually, type RunningLab, startLab, untilUp, zerohop } from './running-lab.ts';

const POLICY = join(import.meta.dirname, '../../src/lab/manifests/lrp-nodelocaldns.yaml');
const CACHE = 'kube-system/node-local-dns-dwrcm';

let lab: RunningLab;
let home: string;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'zerohop-kubectl-'));
  lab = startLab();
  await untilUp(lab);
}, 150_000);

afterAll(async () => {
  lab.child.kill('SIGINT');
  await lab.ended;
  rmSync(home, { recursive: true, force: true });
});

function kubectl(...args: readonly string[]): string {
  const server = /kubectl --server (\S+)/.exec(lab.output())?.[1] ?? '';
  const env = { ...process.env, HOME: home, KUBECONFIG: '' };
  const { stdout, stderr, status } = spawnSync('kubectl', ['--server', server, ...args], {
    encoding: 'utf8',
    env,
    timeout: 30_000,
  });
  if (status !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

const serviceList = () => zerohop('service', 'list', '--node', 'k8s-w1').stdout;
const netshoot = (...command: readonly string[]) =>
  zerohop('lab', 'exec', 'netshoot', '--', ...command).stdout;

/**
 * What the observer shows of one name, asked once by `command`, as soon as all of `rows` are there: the two nodes tell of it
 * each for itself, and the one that was asked has to look up first who asked.
 */
async function flowsOf(name: string, command: readonly string[], rows: readonly RegExp[]): Promise<string> {
  const answer = netshoot(...command, name);
  expect(answer).toContain('status: NOERROR');
  return eventually(() => {
    const { stdout } = zerohop('observe', '--last', '400', '--pod', 'netshoot', '--port', '53');
    expect(stdout).toContain(`Query ${name}. A))`);
    for (const row of rows) expect(stdout).toMatch(row);
    return stdout;
  });
}

describe('a policy applied by kubectl', () => {
  test('kubectl shows the pods, services and policies of the cluster', () => {
    const pods = kubectl('get', 'pods', '-A', '-o', 'wide');
    for (const row of [
      /kube-system +coredns-\S+ +1\/1 +Running/,
      /default +netshoot +1\/1 +Running .* k8s-w1/,
    ]) {
      expect(pods).toMatch(row);
    }
    expect(kubectl('get', 'pods,svc,ciliumlocalredirectpolicies', '-A')).toMatch(
      /kube-system +service\/kube-dns +ClusterIP +10\.96\.0\.10 +<none> +53\/UDP,53\/TCP,9153\/TCP/,
    );
  });

  test('without it a query enters coredns and never the cache', async () => {
    const flows = await flowsOf(
      'kubernetes.io',
      ['dig'],
      [
        /netshoot:\d+ \(ID:\d+\) -> kube-system\/kube-dns:53 \(unknown\) from-endpoint FORWARDED/,
        /netshoot:\d+ \(ID:\d+\) -> kube-system\/coredns-\S+:53 \(ID:\d+\) to-endpoint FORWARDED/,
      ],
    );
    expect(flows).not.toContain('node-local-dns');
  });

  test('apply turns both DNS frontends into LocalRedirect with the backend of the own node', async () => {
    expect(kubectl('apply', '-f', POLICY)).toBe('ciliumlocalredirectpolicy.cilium.io/nodelocaldns created\n');
    const list = await eventually(() => {
      const text = serviceList();
      expect(text).toMatch(/10\.96\.0\.10:53\/UDP +LocalRedirect +1 => 172\.20\.1\.\d+:53\/UDP \(active\)/);
      return text;
    });
    expect(list).toMatch(/10\.96\.0\.10:53\/TCP +LocalRedirect +1 => 172\.20\.1\.\d+:53\/TCP \(active\)/);
    expect(list).toMatch(/10\.96\.0\.10:9153\/TCP +ClusterIP/);
    expect(zerohop('lrp', 'list', '--node', 'k8s-w1').stdout).toMatch(
      /kube-system +nodelocaldns +clusterIP \+ all svc ports +kube-system\/kube-dns/,
    );
    expect(kubectl('get', 'lrp', '-A')).toMatch(/kube-system +nodelocaldns +[\dms]+/);
  });

  test('a UDP query enters the cache, and the reply comes from the asked address', async () => {
    await flowsOf(
      'cilium.io',
      ['dig'],
      [new RegExp(`netshoot:\\d+ \\(ID:\\d+\\) -> ${CACHE}:53 \\(ID:\\d+\\) to-endpoint FORWARDED`)],
    );
    expect(netshoot('dig', 'cilium.io')).toContain('SERVER: 10.96.0.10#53(10.96.0.10) (UDP)');
  });

  test('a TCP query enters the cache, and the reply comes from the asked address', async () => {
    await flowsOf(
      'example.com',
      ['dig', '+tcp'],
      [new RegExp(`-> ${CACHE}:53 \\(ID:\\d+\\) to-endpoint FORWARDED \\(TCP Flags: SYN\\)`)],
    );
    expect(netshoot('dig', '+tcp', 'example.com')).toContain('SERVER: 10.96.0.10#53(10.96.0.10) (TCP)');
  });

  test('the field report holds: nslookup complains about recursion for cluster names and still answers', () => {
    const text = netshoot('nslookup', 'www.google.com');
    expect(text.match(/Got recursion not available from 10\.96\.0\.10/g)).toHaveLength(3);
    expect(text).toMatch(/Name:\twww\.google\.com\nAddress: 142\.250\.197\.228/);
  });

  test('the redirect goes on when the agent is killed', async () => {
    const { pid } = await createAgentClient('/run/zerohop/lab/agents/k8s-w1.sock').status();
    process.kill(pid, 'SIGKILL');
    const before = cacheRequests();
    expect(netshoot('dig', 'github.com')).toContain('20.200.245.247');
    expect(cacheRequests()).toBeGreaterThan(before);
  });

  test('delete gives the frontends back to the service', () => {
    kubectl('delete', '-f', POLICY);
    // The agent of the other node is alive; the killed one cannot follow, and that is its packets' invariant.
    return eventually(() => {
      expect(zerohop('service', 'list', '--server', '/run/zerohop/lab/agents/k8s-ctr.sock').stdout).toMatch(
        /10\.96\.0\.10:53\/UDP +ClusterIP +1 => 172\.20\.0\.\d+:53\/UDP \(active\)/,
      );
    });
  });
});

/** The cache's own count of requests, asked from inside its pod: the official way to tell whether it is in use. */
function cacheRequests(): number {
  const script = "fetch('http://127.0.0.1:9253/metrics').then(r=>r.text()).then(t=>console.log(t))";
  const { stdout } = zerohop('lab', 'exec', CACHE, '--', process.execPath, '-e', script);
  const lines = stdout.split('\n').filter((line) => line.startsWith('coredns_dns_requests_total{'));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
