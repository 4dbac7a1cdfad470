/** Our server and our client against gRPC's own library for Python, which shares no code with ours. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GetFlowsResponse } from '../flow/api.ts';
import { systemClock } from '../telemetry/clock.ts';
import { openHubble } from './client.ts';
import type { ListenAddress } from './listen/listener.ts';
import { startHubbleServer } from './server.ts';
import { TestAuthority } from './testing/certificates.ts';
import { FakeSource } from './testing/fake-source.ts';
import { type Answers, askPython, generatePython, INTEROP_SCRIPT, PYTHON } from './testing/python-client.ts';

let directory = '';
let env: NodeJS.ProcessEnv = {};

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'zerohop-interop-'));
  env = generatePython(directory);
});

afterAll(() => rmSync(directory, { recursive: true }));

async function ask(listen: ListenAddress, files: readonly string[] = []): Promise<Answers> {
  const source = new FakeSource();
  source.see('one', 'two', 'three');
  const server = await startHubbleServer({
    ...{ source, listen: [listen], clock: systemClock },
    log: { info: () => undefined, error: () => undefined },
    async *peers() {
      yield { name: 'worker-2', address: '192.0.2.2:4244', type: 'PEER_ADDED' };
    },
  });
  try {
    const target = (server.targets[0] ?? '').replace('tls://', '');
    const answers = await askPython(env, target, { files });
    await expect.poll(() => [source.open, server.streams]).toEqual([0, 0]);
    return answers;
  } finally {
    await server.close();
  }
}

function expectAnswers(answers: Answers): void {
  expect(answers).toMatchObject({
    'health ': { status: 'SERVING' },
    'health hubble.server.Observer': { status: 'SERVING' },
    'health nobody': { code: 'NOT_FOUND' },
    status: { num_flows: '3', uptime_ns: '18446744073709551615', flows_rate: 12.5, version: '0.1.0' },
    nodes: { nodes: [{ name: 'worker-1', state: 'NODE_CONNECTED', tls: { enabled: true } }] },
    namespaces: { namespaces: [{ cluster: 'default', namespace: 'shop' }] },
    all: [{ flow: { Summary: 'one' } }, { flow: { Summary: 'two' } }, { flow: { Summary: 'three' } }],
    none: [],
    'first with follow': { code: 'INVALID_ARGUMENT' },
    'wrong mask': { code: 'INVALID_ARGUMENT', details: expect.stringContaining('nothing') },
    cel: { code: 'UNKNOWN', details: expect.stringContaining('cel_expression') },
    'agent events': { code: 'UNIMPLEMENTED' },
    'debug events': { code: 'UNIMPLEMENTED' },
    follow: [{ flow: { Summary: 'three', is_reply: false, l4: { UDP: { destination_port: 53 } } } }],
    peers: [{ name: 'worker-2', address: '192.0.2.2:4244', type: 'PEER_ADDED' }],
  });
  // The first of them is a nanosecond too old.
  expect(answers.since).toMatchObject([{ time: '2026-03-03T10:00:02Z', node_name: 'worker-1' }]);
  // A relay's alone: a node that said zero would be shown as a relay without nodes.
  expect(answers.status).not.toHaveProperty('num_connected_nodes');
}

describe('startHubbleServer, asked by another implementation', () => {
  it('answers on a unix socket', async () => {
    expectAnswers(await ask({ unix: join(directory, 'ours.sock') }));
  });

  it('answers over TLS to a client with a certificate', async () => {
    const authority = new TestAuthority(directory, 'ours');
    const tls = { ...authority.issue('worker-1'), clientCaFiles: [authority.caFile] };
    const { certFile, keyFile } = authority.issue('relay');
    expectAnswers(await ask({ host: '127.0.0.1', port: 0, tls }, [authority.caFile, certFile, keyFile]));
  });
});

describe('openHubble, of another implementation', () => {
  let python: ChildProcess;
  const path = () => join(directory, 'theirs.sock');

  beforeAll(async () => {
    python = spawn(PYTHON, [INTEROP_SCRIPT, 'serve', path()], {
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => python.stdout?.once('data', resolve));
  });

  afterAll(async () => {
    const gone = new Promise((resolve) => python.once('exit', resolve));
    python.stdin?.end();
    await gone;
  });

  it('reads flows, words about nodes, and what a stream ended with', async () => {
    const client = openHubble(`unix://${path()}`);
    const seen: GetFlowsResponse[] = [];
    const read = async (number: number) => {
      const request = { number, whitelist: [{ dns_query: ['api[.]example[.]'] }] };
      for await (const each of client.flows(request, new AbortController().signal)) seen.push(each);
    };
    await read(0);
    const time = '2026-03-03T10:00:00.014000001Z';
    expect(seen).toEqual([
      { node_status: { state_change: 'NODE_CONNECTED', node_names: ['a', 'b'] }, node_name: 'relay', time },
      { flow: expect.anything(), node_name: 'a', time },
    ]);
    expect(seen[1]?.flow).toMatchObject({
      ...{ time, verdict: 'DROPPED', is_reply: false, l4: { UDP: { destination_port: 53 } } },
      ...{ source: { identity: 2 }, destination: {}, event_type: {}, Summary: '' },
      l7: {
        type: 'RESPONSE',
        latency_ns: '18446744073709551615',
        dns: { query: 'api[.]example[.]', qtypes: [] },
      },
    });
    await expect(read(1)).rejects.toMatchObject({ code: 'HUBBLE_UNREACHABLE' });
    client.close();
  });

  it('reads the status of a relay, and is told what is not there', async () => {
    const client = openHubble(`unix://${path()}`);
    expect(await client.status()).toMatchObject({
      ...{ connectedNodes: 2, unavailableNodes: [], flowsRate: 0.5 },
      ...{ seenFlows: Number.MAX_SAFE_INTEGER, uptimeNs: 18_446_744_073_709_551_615n },
    });
    expect(await client.knowsNarrow()).toBe(false);
    await expect(client.nodes()).rejects.toMatchObject({ code: 'HUBBLE_UNSUPPORTED' });
    const refused = (async () => {
      for await (const _ of client.flows({ first: true, follow: true }, new AbortController().signal));
    })();
    await expect(refused).rejects.toMatchObject({
      code: 'HUBBLE_REFUSED',
      message: expect.not.stringContaining('\u001b'),
    });
    client.close();
  });
});
