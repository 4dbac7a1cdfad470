/** A relay of ours, asked by gRPC's own library for Python as a stock client would. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../telemetry/clock.ts';
import { openHubble } from '../client.ts';
import type { PeerChange } from '../observer-source.ts';
import { startHubbleServer } from '../server.ts';
import { FakeSource } from '../testing/fake-source.ts';
import { startRelay } from './start-relay.ts';

/** Debian's packages are for its own Python, whatever other is ahead in the path. */
const PYTHON = '/usr/bin/python3';
const SCRIPT = fileURLToPath(new URL('../testing/interop.py', import.meta.url));
const PROTOS = fileURLToPath(new URL('../proto', import.meta.url));
const FILES = ['flow/flow', 'relay/relay', 'observer/observer', 'peer/peer', 'health/health'];

const log = {
  ...{ debug: () => undefined, info: () => undefined, warning: () => undefined, error: () => undefined },
  fatal: (text: string): never => {
    throw new Error(text);
  },
};

let directory = '';
const closers: (() => unknown)[] = [];

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'zerohop-relay-interop-'));
  const generated = join(directory, 'generated');
  mkdirSync(generated);
  execFileSync('protoc', [
    ...['-I', PROTOS, `--python_out=${generated}`, `--grpc_python_out=${generated}`],
    '--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin',
    ...FILES.map((name) => `${name}.proto`),
  ]);
});

afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(directory, { recursive: true });
});

async function startNode(name: string, ...summaries: readonly string[]): Promise<PeerChange> {
  const source = new FakeSource();
  source.see(...summaries);
  const listen = [{ unix: join(directory, `${name}.sock`) }];
  const server = await startHubbleServer({ source, listen, clock: systemClock, log });
  closers.push(() => server.close());
  return { name, address: server.targets[0] ?? '', type: 'PEER_ADDED' };
}

it('a relay answers another implementation as a server of many nodes', async () => {
  const changes = [await startNode('a', 'a one', 'a two'), await startNode('b', 'b one')];
  const service = await startHubbleServer({
    ...{
      source: new FakeSource(),
      listen: [{ unix: join(directory, 'peers.sock') }],
      clock: systemClock,
      log,
    },
    async *peers(signal) {
      yield* changes;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    },
  });
  closers.push(() => service.close());
  const relay = await startRelay({
    ...{ listen: [{ unix: join(directory, 'relay.sock') }], peerService: service.targets[0] ?? '' },
    ...{ version: '9', clock: systemClock, log },
  });
  closers.push(() => relay.close());
  const [target = ''] = relay.targets;
  const client = openHubble(target);
  closers.push(() => client.close());
  await expect.poll(async () => (await client.status()).connectedNodes, { timeout: 20_000 }).toBe(2);

  const env = { ...process.env, PYTHONPATH: join(directory, 'generated'), PYTHONDONTWRITEBYTECODE: '1' };
  const { stdout } = await promisify(execFile)(PYTHON, [SCRIPT, 'ask', target], { env });
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(Object.fromEntries(lines.map(({ question, answer }) => [question, answer]))).toMatchObject({
    'health hubble.server.Observer': { status: 'SERVING' },
    status: { num_flows: '6', num_connected_nodes: 2, num_unavailable_nodes: 0, version: '9' },
    nodes: {
      nodes: [
        { name: 'a', state: 'NODE_CONNECTED' },
        { name: 'b', state: 'NODE_CONNECTED' },
      ],
    },
    namespaces: { namespaces: [{ cluster: 'default', namespace: 'shop' }] },
    all: [{ flow: { Summary: 'a one' } }, { flow: { Summary: 'b one' } }, { flow: { Summary: 'a two' } }],
    none: [],
    'first with follow': { code: 'INVALID_ARGUMENT' },
    'wrong mask': { code: 'INVALID_ARGUMENT' },
    cel: { code: 'UNKNOWN', details: expect.stringContaining('cel_expression') },
    'agent events': { code: 'UNIMPLEMENTED' },
    follow: [{ flow: { Summary: 'a two' } }],
    peers: { code: 'UNIMPLEMENTED' },
  });
});
