/** Flags of `zerohop observe` as they are typed, against a server whose flows are those of spec hubble 3.1. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Flow } from '../../src/flow/api.ts';
import { CACHE, CART, KUBE_DNS, sampleFlow, withoutReply } from '../../src/flow/testing/sample-flow.ts';
import { type HubbleServer, startHubbleServer } from '../../src/hubble/server.ts';
import { TestAuthority } from '../../src/hubble/testing/certificates.ts';
import { FakeSource } from '../../src/hubble/testing/fake-source.ts';
import { systemClock } from '../../src/telemetry/clock.ts';
import { type BatchedCommand, type Ended, type ProgramInput, runBatch, runProgram } from './run-batch.ts';

const MAIN = new URL('../../src/cli/boot/zerohop.mjs', import.meta.url).pathname;
const home = mkdtempSync(join(tmpdir(), 'zerohop-observe-flags-'));
const socket = join(home, 'hubble.sock');
const file = join(home, 'flows.json');
const authority = new TestAuthority(home, 'ours');
const client = authority.issue('client');
let server: HubbleServer;

const at = (ms: number) => `2026-03-03T10:00:00.${String(ms).padStart(3, '0')}Z`;
const query = { query: 'api.shop.svc.cluster.local.', qtypes: ['A'], observation_source: 'proxy' };

/** The examples of the spec, in its order, and what nobody asks for. */
const FLOWS: readonly Flow[] = [
  withoutReply({
    ...{ time: at(0), verdict: 'TRACED', Type: 'SOCK', event_type: { type: 7, sub_type: 1 } },
    ...{ sock_xlate_point: 'SOCK_XLATE_POINT_PRE_DIRECTION_FWD', l4: { UDP: { destination_port: 53 } } },
    ...{ IP: { source: '10.244.1.23', destination: '10.96.0.10', ipVersion: 'IPv4' } },
    ...{ destination: {}, destination_service: KUBE_DNS, uuid: 'aaaa' },
  }),
  sampleFlow({ time: at(14), source: { ...CART, labels: ['k8s:app=cart'] } }),
  sampleFlow({
    ...{ time: at(28), Type: 'L7', event_type: { type: 129 }, l7: { type: 'REQUEST', dns: query } },
    Summary: 'DNS Query api.shop.svc.cluster.local. A',
    trace_context: { parent: { trace_id: '10.244.1.23:41022/7' } },
  }),
  sampleFlow({
    ...{ time: at(42), Type: 'L7', event_type: { type: 129 }, is_reply: true, reply: true },
    ...{ source: CACHE, destination: CART, l4: { UDP: { source_port: 53, destination_port: 41023 } } },
    IP: { source: '10.244.1.9', destination: '10.244.1.23', ipVersion: 'IPv4' },
    l7: {
      type: 'RESPONSE',
      latency_ns: '12000000',
      dns: { ...query, query: 'nope.shop.svc.cluster.local.', qtypes: ['AAAA'], rcode: 3, ttl: 4294967295 },
    },
    Summary:
      'DNS Answer RCode: Non-Existent Domain TTL: 4294967295 (Proxy nope.shop.svc.cluster.local. AAAA)',
  }),
  sampleFlow({
    ...{ time: at(56), verdict: 'DROPPED', drop_reason_desc: 'POLICY_DENIED', node_name: 'worker-2' },
    event_type: { type: 1, sub_type: 133 },
  }),
];

const COMPACT = [
  'Mar  3 10:00:00.000: shop/cart-6d4b7c8f9-x2x7k (ID:21873) <> kube-system/kube-dns:53 (unknown) pre-xlate-fwd TRACED (UDP)',
  'Mar  3 10:00:00.014: shop/cart-6d4b7c8f9-x2x7k:41022 (ID:21873) -> kube-system/node-local-dns-9kq2t:53 (ID:51200) from-endpoint FORWARDED (UDP)',
  'Mar  3 10:00:00.028: shop/cart-6d4b7c8f9-x2x7k:41022 (ID:21873) -> kube-system/node-local-dns-9kq2t:53 (ID:51200) dns-request proxy FORWARDED (DNS Query api.shop.svc.cluster.local. A)',
  'Mar  3 10:00:00.042: shop/cart-6d4b7c8f9-x2x7k:41023 (ID:21873) <- kube-system/node-local-dns-9kq2t:53 (ID:51200) dns-response proxy FORWARDED (DNS Answer RCode: Non-Existent Domain TTL: 4294967295 (Proxy nope.shop.svc.cluster.local. AAAA))',
  'Mar  3 10:00:00.056: shop/cart-6d4b7c8f9-x2x7k:41022 (ID:21873) -> kube-system/node-local-dns-9kq2t:53 (ID:51200) Policy denied DROPPED (UDP)',
];

const SHOWN: readonly { readonly typed: string; readonly shows: readonly number[] }[] = [
  { typed: '', shows: [0, 1, 2, 3, 4] },
  { typed: 'flows --last 1', shows: [4] },
  { typed: '--last=1 --follow=false', shows: [4] },
  { typed: '--first 2', shows: [0, 1] },
  { typed: '--all --verdict TRACED,DROPPED', shows: [0, 4] },
  { typed: '--since 2026-03-03T10:00:00.028Z --until 2026-03-03T10:00:00.042Z', shows: [2, 3] },
  { typed: '--since 1s', shows: [] },
  { typed: '-t l7', shows: [2, 3] },
  { typed: '-t trace:from-endpoint -t trace-sock', shows: [0, 1] },
  { typed: '--not --type l7 --last 2', shows: [1, 4] },
  { typed: '--not -t l7 --protocol udp --to-port 53', shows: [0, 1, 4] },
  { typed: '--pod shop/cart --port 53 --last 2', shows: [3, 4] },
  { typed: '--pod shop/cart --port 53 --same-side', shows: [] },
  { typed: '-n=shop --verdict TRACED', shows: [0] },
  { typed: '-l app=cart', shows: [1] },
  { typed: '--identity 51200 --traffic-direction ingress', shows: [] },
  { typed: '-4 --to-ip 10.96.0.0/12', shows: [0] },
  { typed: '-6', shows: [] },
  { typed: '--dns-query ^api[.]', shows: [2] },
  { typed: '--rcode NXDOMAIN', shows: [3] },
  { typed: '--rcode 0,2', shows: [] },
  { typed: '--slow 12', shows: [3] },
  { typed: '--slow 12.1', shows: [] },
  { typed: '--trace-id 10.244.1.23:41022/7', shows: [2] },
  { typed: '--uuid aaaa', shows: [0] },
  { typed: '--drop-reason-desc POLICY_DENIED', shows: [4] },
  { typed: '--node worker-2', shows: [4] },
  { typed: '--node-name default/worker-1 --last 1', shows: [3] },
  { typed: '--allowlist {"dns_query":["^nope"]} --verdict DROPPED', shows: [3, 4] },
  { typed: '--denylist {"event_type":[{"type":129}]} --last 2', shows: [1, 4] },
  { typed: '--use-default-field-masks --last 1', shows: [4] },
];

const DROPPED = COMPACT[4] ?? '';
const BY_ADDRESS = DROPPED.replace(/shop\S+:/, '10.244.1.23:').replace(/kube-system\S+:/, '10.244.1.9:');
const LINES: readonly { readonly typed: string; readonly line: string }[] = [
  { typed: '--numeric', line: BY_ADDRESS },
  { typed: '--ip-translation=false', line: BY_ADDRESS },
  { typed: '--print-node-name', line: DROPPED.replace('056:', '056 [worker-2]:') },
  {
    typed: '--time-format RFC3339Milli',
    line: DROPPED.replace('Mar  3 10:00:00.056', '2026-03-03T10:00:00.056Z'),
  },
  {
    typed: '--color always --numeric',
    line:
      'Mar  3 10:00:00.056: \x1b[36m10.244.1.23:\x1b[33m41022\x1b[0m\x1b[0m \x1b[35m(ID:21873)\x1b[0m -> ' +
      '\x1b[36m10.244.1.9:\x1b[33m53\x1b[0m\x1b[0m \x1b[35m(ID:51200)\x1b[0m Policy denied \x1b[31mDROPPED\x1b[0m (UDP)',
  },
  { typed: '--color never --print-policy-names --debug --silent-errors', line: DROPPED },
];

const REFUSED: readonly { readonly typed: string; readonly says: string }[] = [
  { typed: '--port-forward', says: 'Cannot use --port-forward: zerohop has no such flag' },
  { typed: '-P', says: 'Cannot use --port-forward: zerohop has no such flag' },
  { typed: '--basic-auth-username=me', says: 'Cannot use --basic-auth-username' },
  { typed: '--follow=perhaps', says: 'Cannot use --follow: it is true or false: received "perhaps"' },
  { typed: '--reply', says: "unknown option '--reply'" },
  { typed: '--first 1 --last 1', says: '--first and --last cannot be combined' },
  { typed: '-o table -f', says: '-o table cannot be combined with --follow' },
  { typed: '--field-mask verdict', says: '--field-mask is for -o json only' },
  { typed: '-o json --field-mask nothing', says: 'names no field of a flow: "nothing"' },
  { typed: '--time-format noon', says: '--time-format is one of StampMilli' },
  { typed: '--color blue', says: '--color is auto, always or never: received "blue"' },
  { typed: '--since 1d', says: '--since takes a duration' },
  { typed: '--not', says: '--not is about the next filter: none comes after it' },
  { typed: '--verdict forwarded', says: '--verdict takes one of' },
  { typed: '--rcode NOPE', says: '--rcode takes a number or a word such as NXDOMAIN: received "NOPE"' },
  { typed: '--slow soon', says: '--slow takes milliseconds' },
  { typed: '--bypassed', says: "bypassed needs a server that knows its node's caches" },
  { typed: '--cel-expression true', says: 'cel_expression is not understood here' },
  { typed: '--tls', says: 'Cannot use --tls: a unix socket is spoken to without' },
  { typed: '--tls-server-name x --server localhost:1', says: 'it needs --tls' },
  {
    typed: '--tls-client-cert-file x --tls --server localhost:1',
    says: 'it goes with --tls-client-key-file',
  },
  { typed: '--timeout soon', says: 'Cannot use --timeout: it is a duration' },
  { typed: '--server http://localhost', says: 'the address is not understood' },
  { typed: '--server localhost:1', says: 'nobody answers: connect ECONNREFUSED' },
  { typed: '--server localhost:1 --tls --tls-ca-cert-files /nowhere', says: 'Cannot use the TLS files' },
  { typed: '--input-file /nowhere', says: 'Cannot read flows: ENOENT' },
  { typed: 'agent-events', says: 'Cannot give events of an agent' },
  { typed: 'debug-events', says: 'Cannot give debug events' },
  { typed: 'weather', says: 'there are flows, agent-events and debug-events: received "weather"' },
];

/** By what was typed. */
const ended = new Map<string, Ended>();

beforeAll(async () => {
  const source = new FakeSource();
  for (const flow of FLOWS) source.push({ flow, node_name: flow.node_name, time: flow.time });
  const tls = { ...authority.issue('worker-1'), clientCaFiles: [authority.caFile] };
  server = await startHubbleServer({
    ...{ source, clock: systemClock, log: { info: () => undefined, error: () => undefined } },
    listen: [{ unix: socket }, { host: '127.0.0.1', port: 0 }, { host: '127.0.0.1', port: 0, tls }],
  });
  const lines = FLOWS.map((flow) => JSON.stringify({ flow, node_name: flow.node_name, time: flow.time }));
  const typed = [
    ...[...SHOWN, ...REFUSED].map((row) => row.typed),
    ...LINES.map((row) => `--last 1 ${row.typed}`),
  ];
  const results = await observeAll(typed.map((text) => ({ args: words(text), env: { HUBBLE_SERVER } })));
  for (const [n, text] of typed.entries()) ended.set(text, results[n] ?? missing(text));
  writeFileSync(file, `${lines.join('\n')}\nno flow\n{"flow":{"IP":{},"nobody_knows":1},"time":""}\n`);
});
afterAll(async () => {
  await server.close();
  rmSync(home, { recursive: true });
});

const HUBBLE_SERVER = `unix://${socket}`;

const observe = (args: readonly string[], input: ProgramInput = { env: { HUBBLE_SERVER } }) =>
  runProgram([MAIN, 'observe', ...args], input);

const observeAll = (commands: readonly Omit<BatchedCommand, 'command'>[]) =>
  runBatch(commands.map((each) => ({ command: 'observe', ...each })));

/** Splits at blanks. */
const words = (line: string) => line.split(' ').filter((word) => word !== '');

function missing(typed: string): never {
  throw new Error(`${typed} was not run`);
}

const LAST = ['--last', '1'];

/** Which of the flows above, counted from 0. */
const rows = (...numbers: readonly number[]) => numbers.map((n) => COMPACT[n]);

describe('zerohop observe', { timeout: 60_000 }, () => {
  it.each(SHOWN)('$typed', ({ typed, shows }) => {
    expect(ended.get(typed)).toEqual({ code: 0, out: rows(...shows), err: '' });
  });

  it.each(LINES)('--last 1 $typed', ({ typed, line }) => {
    expect(ended.get(`--last 1 ${typed}`)).toEqual({ code: 0, out: [line], err: '' });
  });

  it('-o dict, -o table and -o json show the same flow', async () => {
    const env = { HUBBLE_SERVER };
    const masks = [
      '-o',
      'json',
      '--field-mask',
      'verdict,source.namespace',
      '--experimental-field-mask',
      'uuid',
    ];
    const [dict, table, json, masked, bare] = await observeAll([
      { args: [...LAST, '-o', 'dict'], env },
      { args: [...LAST, '-otable', '--print-node-name'], env },
      { args: [...LAST, '--output', 'jsonpb'], env },
      { args: [...LAST, ...masks], env },
      { args: [...LAST, '-o=json'], env: { ...env, HUBBLE_COMPAT: 'legacy-json-output' } },
    ]);
    expect(dict?.out).toEqual([
      '  TIMESTAMP: Mar  3 10:00:00.056',
      '     SOURCE: shop/cart-6d4b7c8f9-x2x7k:41022',
      'DESTINATION: kube-system/node-local-dns-9kq2t:53',
      '       TYPE: Policy denied',
      '    VERDICT: DROPPED',
      '    SUMMARY: UDP',
    ]);
    expect(table?.out).toEqual([
      'TIMESTAMP             NODE       SOURCE                            DESTINATION                           TYPE            VERDICT   SUMMARY',
      'Mar  3 10:00:00.056   worker-2   shop/cart-6d4b7c8f9-x2x7k:41022   kube-system/node-local-dns-9kq2t:53   Policy denied   DROPPED   UDP',
    ]);
    const answer = { flow: FLOWS[4], node_name: 'worker-2', time: at(56) };
    expect(json?.out.map((line) => JSON.parse(line))).toEqual([answer]);
    expect(masked?.out.map((line) => JSON.parse(line).flow)).toEqual([
      { verdict: 'DROPPED', source: { namespace: 'shop' }, uuid: FLOWS[4]?.uuid },
    ]);
    expect(bare?.out.map((line) => JSON.parse(line))).toEqual([FLOWS[4]]);
  });

  it('--input-file reads what -o json wrote, and says what it left out', async () => {
    const args = ['--input-file', file, '--pod', 'shop/cart', '--last', '2', '-f'];
    const read = await observe(args, { env: {} });
    expect(read).toMatchObject({ code: 0, out: rows(3, 4) });
    expect(read.err.split('\n').slice(0, -1)).toEqual([
      'zerohop: line 6 is no flow: such lines are left out',
      'zerohop: line 7 has a field that is not known here, "flow.nobody_knows": such fields are left out',
    ]);
    expect(await observe([...args, '-s'], { env: {} })).toEqual({ code: 0, out: rows(3, 4), err: '' });
    const { out: lines } = await observe(['-o', 'json']);
    const piped = await observe(['--input-file', '-'], {
      env: {},
      input: lines.map((line) => `${line}\n`).join(''),
    });
    expect(piped).toEqual({ code: 0, out: COMPACT, err: '' });
  });

  it('--print-raw-filters asks nobody', async () => {
    const typed = '--pod shop/cart --not --to-port 80 --rcode NXDOMAIN --print-raw-filters';
    expect(await observe(words(typed), { env: {} })).toEqual({
      code: 0,
      out: [
        'allowlist:',
        '    - \'{"source_pod":["shop/cart"]}\'',
        '    - \'{"destination_pod":["shop/cart"]}\'',
        'denylist:',
        '    - \'{"destination_port":["80"]}\'',
        '# narrow: {"rcode":[3]}',
      ],
      err: '',
    });
  });

  it('finds the server by flag, by environment, by the path alone, by TCP and by TLS with a certificate', async () => {
    const [, tcp = '', tls = ''] = server.targets;
    const shown = ['--tls-client-cert-file', client.certFile, '--tls-client-key-file', client.keyFile];
    const believed = ['--tls-ca-cert-files', authority.caFile];
    const hostPort = tls.replace('tls://', '');
    const ways: readonly [readonly string[], Readonly<Record<string, string>>][] = [
      [['--server', HUBBLE_SERVER], {}],
      [['--server', socket], { HUBBLE_SERVER: 'localhost:1' }],
      [[], { ZEROHOP_SERVER: HUBBLE_SERVER, HUBBLE_SERVER: 'localhost:1' }],
      [['--server', tcp, '--timeout', '20s'], {}],
      [['--server', tls, ...believed, ...shown], {}],
      [['--server', hostPort, '--tls', '--tls-allow-insecure', ...shown], {}],
      [['--server', hostPort, '--tls-server-name=worker-1', '--tls', ...believed, ...shown], {}],
      [
        [],
        {
          ...{ HUBBLE_SERVER: hostPort, HUBBLE_TLS: 'true', HUBBLE_TLS_CA_CERT_FILES: authority.caFile },
          ...{ HUBBLE_TLS_CLIENT_CERT_FILE: client.certFile, HUBBLE_TLS_CLIENT_KEY_FILE: client.keyFile },
        },
      ],
    ];
    const results = await observeAll(ways.map(([args, env]) => ({ args: [...LAST, ...args], env })));
    for (const [n, way] of ways.entries())
      expect([way, results[n]]).toEqual([way, { code: 0, out: rows(4), err: '' }]);
  });

  it.each(REFUSED)('refuses $typed', ({ typed, says }) => {
    const { code, out, err } = ended.get(typed) ?? missing(typed);
    expect({ code, out }).toEqual({ code: 1, out: [] });
    expect(err).toContain(says);
    expect(err).not.toMatch(/\n\s+at /);
  });
});
