/**
 * The real agent over a generated cluster, in a network of its own with an interface per pod: what it holds when it has
 * come to rest, and how long it says that a pod change took. It needs root. Network, mounts and pins are those of its
 * processes and go with them; nobody else's packets are touched.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAgentClient } from '../src/agent/client.ts';
import { NODE as NODE_PROGRAM, ZEROHOP } from './contenders.ts';
import { type ClusterSize, NODE, podAddressesOf } from './generated-cluster.ts';
import type { Bench } from './suite.ts';

export interface AgentFigures {
  /** Resident, when it has given back what listing took. */
  readonly restMb: number;
  /** The most it ever held. */
  readonly peakMb: number;
  /** From its start until every policy was in the kernel. */
  readonly startS: number;
  /** Of each pod change: derived, and written to the kernel. */
  readonly changeMs: readonly number[];
}

const START_LIMIT_MS = 120_000;
const TRY_MS = 100;
/** It looks every five seconds whether it is at rest, and gives back at most every twenty. */
const REST_MS = 26_000;
const CHANGES = 40;
/** Of these the code is still being compiled, as it is not in an agent that has run for a while. */
const FIRST_CHANGES = 10;
/** Longer than the agent rests between two derivations. */
const BETWEEN_MS = 60;

/** A veth pair per address, the far ends together in a second namespace that ends with the first; then the agent. */
const SCRIPT = `set -e
ip link set lo up
unshare -n sh -c 'while kill -0 "$0" 2>/dev/null; do sleep 1; done' $$ & peer=$!
while [ "$(readlink /proc/$peer/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
n=0
for address in $ADDRESSES; do
  echo "link add pod$n type veth peer name eth$n netns $peer"
  echo "link set pod$n up"
  echo "route add $address/32 dev pod$n"
  echo "addr add $address/32 dev eth$n" >&3
  echo "link set eth$n up" >&3
  n=$((n + 1))
done > "$DIRECTORY/links" 3> "$DIRECTORY/peers"
ip -batch "$DIRECTORY/links"
nsenter -t $peer -n ip -batch "$DIRECTORY/peers"
exec "$@"`;

/** Undefined without root. */
export async function measureAgent(bench: Bench, size: ClusterSize): Promise<AgentFigures | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const api = await startClusterApi(bench, size);
  const began = performance.now();
  const agent = startAgent(bench, size, api.socket);
  bench.onClose(() => end(agent.child));
  try {
    await allDone(agent, bench.signal);
    const startS = (performance.now() - began) / 1000;
    await sleep(REST_MS, undefined, { signal: bench.signal });
    const pid = agent.child.pid ?? 0;
    const [restMb, peakMb] = [memoryMb(pid, 'VmRSS'), memoryMb(pid, 'VmHWM')];
    agent.words.length = 0;
    for (let count = 0; count < CHANGES; count++) {
      await api.ask('/bench/pod');
      await sleep(BETWEEN_MS, undefined, { signal: bench.signal });
    }
    return { restMb, peakMb, startS, changeMs: timesIn(agent.words.join('')).slice(FIRST_CHANGES) };
  } catch (cause) {
    throw new Error(`Cannot measure the agent: ${agent.words.join('').slice(-2000)}`, { cause });
  } finally {
    await end(agent.child);
    await api.close();
  }
}

interface MeasuredAgent {
  /** The agent itself: what was started has become it. */
  readonly child: ChildProcess;
  readonly socket: string;
  readonly words: string[];
}

function startAgent({ directory }: Bench, size: ClusterSize, api: string): MeasuredAgent {
  const socket = join(directory, `agent-${size.services}.sock`);
  const flags = ['--api-server', `unix://${api}`, '--node-name', NODE, '--socket', socket];
  // No bpffs is needed there: the agent mounts one. Nothing it would tell or hear beyond this is wanted.
  flags.push(
    '--bpf-directory',
    join(directory, `bpf-${size.services}`),
    ...['--heartbeat-socket', 'off', '--hubble-socket-path', 'off'],
    '--probe',
    'off',
  );
  flags.push('--no-report-status', '--log-level', 'debug');
  const child = spawn('unshare', ['-n', '-m', 'sh', '-c', SCRIPT, 'sh', ZEROHOP, 'agent', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, DIRECTORY: directory, ADDRESSES: podAddressesOf(size).join(' ') },
  });
  const words: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => words.push(text));
  }
  return { child, socket, words };
}

/** As the agent's debug lines say: `derived in 0.12 ms, written in 0.34 ms`. */
function timesIn(text: string): readonly number[] {
  return Array.from(
    text.matchAll(/derived in ([\d.]+) ms, written in ([\d.]+) ms/g),
    ([, derived, written]) => Number(derived) + Number(written),
  );
}

interface ClusterApi {
  readonly socket: string;
  ask(path: string): Promise<void>;
  close(): Promise<void>;
}

/** The agent waits for it by itself. */
async function startClusterApi(bench: Bench, size: ClusterSize): Promise<ClusterApi> {
  const socket = join(bench.directory, `api-${size.services}.sock`);
  const program = join(import.meta.dirname, 'servers', 'cluster-api.ts');
  const numbers = [size.services, size.endpoints, size.policies].map(String);
  const child = spawn(NODE_PROGRAM, [program, socket, ...numbers], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  bench.onClose(() => end(child));
  return { socket, ask: (path) => ask(socket, path), close: () => end(child) };
}

function ask(socketPath: string, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path }, (response) => response.resume().on('end', resolve))
      .on('error', reject)
      .end();
  });
}

async function allDone({ socket, child }: MeasuredAgent, signal: AbortSignal): Promise<void> {
  const client = createAgentClient(socket);
  const until = performance.now() + START_LIMIT_MS;
  while (performance.now() < until && child.exitCode === null) {
    const { policies } = await client.status().catch(() => ({ policies: [] }));
    if (policies.length > 0 && policies.every(({ state }) => state === 'done')) return;
    await sleep(TRY_MS, undefined, { signal });
  }
  throw new Error('the agent did not bring every policy to the kernel');
}

function memoryMb(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return (Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024) / 1e6;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, 'exit');
  // Nothing these processes hold is worth an orderly end: what they made in the kernel goes with their namespaces.
  child.kill('SIGKILL');
  await gone;
}
