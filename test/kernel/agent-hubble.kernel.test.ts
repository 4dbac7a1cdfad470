/** Hubble's API of a real agent process, over real packets, asked by gRPC's own library for Python and by our client. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHubble } from '../../src/hubble/client.ts';
import { TestAuthority } from '../../src/hubble/testing/certificates.ts';
import { type Answers, askPython, generatePython } from '../../src/hubble/testing/python-client.ts';
import { ANSWER, ObservedAgent } from './observed-agent.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerohop-agent-hubble-'));
let env: NodeJS.ProcessEnv;

beforeAll(() => {
  env = generatePython(directory);
});
afterAll(() => rmSync(directory, { recursive: true }));

function expectAnswers(answers: Answers, dns: number): void {
  expect(answers).toMatchObject({
    'health ': { status: 'SERVING' },
    'health hubble.server.Observer': { status: 'SERVING' },
    'health nobody': { code: 'NOT_FOUND' },
    status: { max_flows: '65535', version: expect.stringMatching(/^\d/) },
    nodes: { nodes: [{ name: 'worker-1', state: 'NODE_CONNECTED' }] },
    namespaces: { namespaces: [{ cluster: 'default', namespace: 'shop' }] },
    'first with follow': { code: 'INVALID_ARGUMENT' },
    'wrong mask': { code: 'INVALID_ARGUMENT', details: expect.stringContaining('nothing') },
    cel: { code: 'UNKNOWN', details: expect.stringContaining('cel_expression') },
    'debug events': { code: 'UNIMPLEMENTED', details: expect.stringContaining('debug events') },
    follow: [{ node_name: 'worker-1', flow: { node_name: 'worker-1' } }],
    // All flows here are UDP.
    none: [],
  });
  expect(answers.all).toContainEqual(
    expect.objectContaining({
      flow: expect.objectContaining({
        ...{ Type: 'L7', is_reply: true, verdict: 'FORWARDED' },
        source: expect.objectContaining({ pod_name: 'server', namespace: 'shop' }),
        destination: expect.objectContaining({ pod_name: 'client', namespace: 'shop' }),
        l7: expect.objectContaining({
          type: 'RESPONSE',
          latency_ns: expect.stringMatching(/^[1-9]\d+$/),
          dns: expect.objectContaining({ query: 'python.example.', qtypes: ['A'], ips: [ANSWER] }),
        }),
      }),
    }),
  );
  const layer7 = (answers.all as readonly { readonly flow: { readonly l7?: unknown } }[]).filter(
    ({ flow }) => flow.l7 !== undefined,
  );
  // A request and a response of each question: no packet is told twice.
  expect(layer7).toHaveLength(2 * dns);
  const events = answers['agent events'] as readonly { readonly agent_event: object }[];
  expect(events[0]).toMatchObject({ node_name: 'worker-1', agent_event: { type: 'AGENT_STARTED' } });
  expect(events.map(({ agent_event: event }) => event)).toEqual(
    expect.arrayContaining(
      ['client', 'server'].map((pod_name) =>
        expect.objectContaining({
          type: 'ENDPOINT_CREATED',
          endpoint_update: expect.objectContaining({ pod_name, namespace: 'shop' }),
        }),
      ),
    ),
  );
}

describe('a real agent', () => {
  it('answers another implementation on its socket, which is root’s alone', async () => {
    const rig = await ObservedAgent.open('hub');
    try {
      expect(rig.dig('python.example')).toBe(ANSWER);
      await expect.poll(async () => (await rig.agent.status()).flows.kept).toBeGreaterThanOrEqual(4);
      const answers = await askPython(env, rig.hubble);
      expectAnswers(answers, 1);
      const details = expect.stringContaining('--hubble-listen-address');
      expect(answers.peers).toEqual({ code: 'UNIMPLEMENTED', details });
      expect(rig.eventBytes()).toBeGreaterThan(0n);
      expect(statSync(rig.hubbleSocket).mode & 0o777).toBe(0o600);
      expect(statSync(join(rig.directory, 'hubble')).mode & 0o777).toBe(0o700);
    } finally {
      await rig.close();
    }
  });

  it('answers over mutual TLS, and nobody who shows no certificate', async () => {
    const authority = new TestAuthority(directory, 'ours');
    const server = authority.issue('worker-1');
    const { certFile, keyFile } = authority.issue('relay');
    const rig = await ObservedAgent.open(
      'tls',
      ...['--hubble-listen-address', '127.0.0.1:4244', '--hubble-tls-client-ca-files', authority.caFile],
      ...['--hubble-tls-cert-file', server.certFile, '--hubble-tls-key-file', server.keyFile],
    );
    try {
      rig.dig('python.example');
      await expect.poll(async () => (await rig.agent.status()).flows.kept).toBeGreaterThanOrEqual(4);
      const { within } = rig;
      const files = [authority.caFile, certFile, keyFile];
      const answers = await askPython(env, '127.0.0.1:4244', { files, within });
      expectAnswers(answers, 1);
      const tls = { server_name: 'worker-1.default.hubble-grpc.cilium.io' };
      expect(answers.peers).toEqual([
        { name: 'worker-1', address: '192.0.2.1:4244', type: 'PEER_ADDED', tls },
      ]);
      const nodes = { nodes: [{ address: '127.0.0.1:4244', tls: { enabled: true, ...tls } }] };
      expect(answers).toMatchObject({ nodes });
      expect((await rig.agent.status()).hubble?.targets).toEqual([rig.hubble, 'tls://127.0.0.1:4244']);
      const bare = await askPython(env, '127.0.0.1:4244', { within });
      expect(bare).toMatchObject({ 'health ': { code: 'UNAVAILABLE' } });
    } finally {
      await rig.close();
    }
  });

  it('writes no event while it records nothing, and says that it records nothing', async () => {
    const rig = await ObservedAgent.open('off', '--no-flows');
    const client = openHubble(rig.hubble);
    try {
      for (let i = 0; i < 5; i++) expect(rig.dig(`off${i}.example`)).toBe(ANSWER);
      expect(await client.status()).toMatchObject({ numFlows: 0, maxFlows: 0, seenFlows: 0, flowsRate: 0 });
      const flows = async () => {
        for await (const _ of client.flows({ follow: true }, new AbortController().signal));
      };
      await expect(flows()).rejects.toMatchObject({ code: 'HUBBLE_NOT_RECORDING' });
      expect((await rig.agent.status()).counters.eventsLost).toBe('0');
      expect(rig.eventBytes()).toBe(0n);
    } finally {
      client.close();
      await rig.close();
    }
  });
});
