/** Answers from the kernel as an operator meets them: kubectl says who may have them, dig asks, status and observe tell. Needs root. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAgentClient } from '../../src/agent/client.ts';
import { eventually, type RunningLab, startLab, untilUp, zerohop } from './running-lab.ts';

const POLICY = join(import.meta.dirname, '../../src/lab/manifests/lrp-nodelocaldns.yaml');
const NAME = 'google.com';
const agent = createAgentClient('/run/zerohop/lab/agents/k8s-w1.sock');

/** DNS is not among what it opens. */
const CLOSED = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web-only, namespace: default }
spec:
  podSelector: { matchLabels: { run: netshoot } }
  policyTypes: [Egress]
  egress: [{ ports: [{ protocol: TCP, port: 443 }] }]
`;

let lab: RunningLab;
let home: string;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'zerohop-kubectl-'));
  lab = startLab();
  await untilUp(lab);
  kubectl(['apply', '-f', POLICY]);
  await untilByKernel();
}, 150_000);

afterAll(async () => {
  lab.child.kill('SIGINT');
  await lab.ended;
  rmSync(home, { recursive: true, force: true });
});

function kubectl(args: readonly string[], input = ''): string {
  const server = /kubectl --server (\S+)/.exec(lab.output())?.[1] ?? '';
  const env = { ...process.env, HOME: home, KUBECONFIG: '' };
  const words = ['--server', server, ...args];
  const result = spawnSync('kubectl', words, { encoding: 'utf8', env, input, timeout: 30_000 });
  if (result.status !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr}`);
  return result.stdout;
}

/** Asks once, and tells how many queries the node's programs answered meanwhile. */
async function byKernel(): Promise<number> {
  const answered = async () => Number((await agent.status()).counters.answered);
  const before = await answered();
  const { stdout } = zerohop('lab', 'exec', 'netshoot', '--', 'dig', '+short', NAME);
  expect(stdout).toBe('142.250.196.110\n');
  return (await answered()) - before;
}

/** Until it does, and will for ten seconds at least: the cache keeps the name for thirty. */
async function untilByKernel(): Promise<void> {
  for (const deadline = Date.now() + 60_000; (await byKernel()) === 0 || secondsLeft() < 10; )
    if (Date.now() > deadline) throw new Error('The kernel does not answer');
}

function secondsLeft(): number {
  const { stdout } = zerohop('bpf', 'answers', 'list', '--node', 'k8s-w1');
  return Number(/ google\.com\. .* NOERROR +1\/0\/0 +(\d+) /.exec(stdout)?.[1] ?? 0);
}

const status = () => zerohop('status', '--node', 'k8s-w1').stdout;
const annotate = (wish: string) =>
  kubectl(['annotate', 'pod', 'netshoot', `zerohop.io/kernel-answers${wish}`, '--overwrite']);

describe('names that the cache has answered', () => {
  test('are answered by the kernel, listed, and told as such in flows', async () => {
    await untilByKernel();
    expect(await byKernel()).toBe(1);
    expect(zerohop('bpf', 'answers', 'list', '--node', 'k8s-w1').stdout).toMatch(
      /\s0\.0\.0\.0:53 +google\.com\. +A +- +NOERROR +1\/0\/0 +\d+ +[1-9]\d* +small/,
    );
    const flows = eventually(() => {
      const { stdout } = zerohop('observe', '--kernel-answered', '--pod', 'netshoot', '--last', '20');
      expect(stdout).toContain(`dns-response kernel FORWARDED (DNS Answer "142.250.196.110"`);
      return stdout;
    });
    expect(await flows).not.toContain('node-local-dns');
  });

  test('are none of a pod whose egress a network policy closes to DNS, and status says so', async () => {
    kubectl(['apply', '-f', '-'], CLOSED);
    await eventually(() => {
      expect(status()).toMatch(/without: .*network policy default\/web-only.*default\/netshoot/s);
    });
    expect(await byKernel()).toBe(0);
    kubectl(['delete', 'networkpolicy', 'web-only']);
    await untilByKernel();
    expect(status()).not.toContain('default/netshoot');
  });

  test('are none of a pod that is annotated so, until it is not', async () => {
    annotate('=deny');
    await eventually(() => expect(status()).toMatch(/without: .*default\/netshoot/));
    expect(await byKernel()).toBe(0);
    annotate('-');
    await untilByKernel();
  });

  test('go on being answered while the cache is dead, and none after the policy is gone', async () => {
    await untilByKernel();
    zerohop('lab', 'kill', 'node-local-dns-dwrcm');
    expect(await byKernel()).toBe(1);
    kubectl(['delete', '-f', POLICY]);
    await eventually(() => {
      const { stdout } = zerohop('service', 'list', '--node', 'k8s-w1');
      expect(stdout).toMatch(/10\.96\.0\.10:53\/UDP +ClusterIP/);
    });
    expect(await byKernel()).toBe(0);
  });
});
