/** `zerohop observe`, `lrp list` and `service list` as a user types them, against agents on the fake kernel. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Agent, startNode } from '../../src/agent/agent.ts';
import { createFakeKernel, type FakeDatapath, openFakeDatapath } from '../../src/datapath/fake-datapath.ts';
import { SAMPLE_CLUSTER } from '../../src/flow/testing/sample-cluster.ts';
import { packet } from '../../src/flow/testing/sample-packet.ts';
import { createStore } from '../../src/store/store.ts';
import { systemClock } from '../../src/telemetry/clock.ts';

const MAIN = new URL('../../src/cli/boot/zerohop.mjs', import.meta.url).pathname;
const log = {
  debug: () => undefined,
  info: () => undefined,
  warning: () => undefined,
  error: () => undefined,
  fatal: (text: string): never => {
    throw new Error(text);
  },
};

const home = mkdtempSync(join(tmpdir(), 'zerohop-observe-'));
const server = join(home, 'k8s-w1.sock');
const hubble = join(home, 'hubble.sock');
const datapath: FakeDatapath = openFakeDatapath({ kernel: createFakeKernel(), clock: systemClock });
let agent: Agent;

beforeAll(async () => {
  const snapshot = createStore(SAMPLE_CLUSTER);
  const base = { nodeName: 'k8s-w1', snapshot, missing: createStore(new Set<never>()), datapath };
  agent = await startNode({
    ...{ ...base, socketPath: server, hubble: { socketPath: hubble }, log, clock: systemClock },
  });
  for (let n = 0; n < 400; n++) datapath.emit(packet({ timeNs: process.hrtime.bigint() }));
});
afterAll(async () => {
  await agent.close();
  datapath.close();
  rmSync(home, { recursive: true, force: true });
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Not spawnSync: the agent that answers lives in this process. */
async function zerohop(...args: readonly string[]): Promise<Ended> {
  const env = { ...process.env, ZEROHOP_SERVER: server, NO_COLOR: '1' };
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, ...args], {
      env,
      timeout: 30_000,
    });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as Ended;
    return { code, stdout, stderr };
  }
}

describe('zerohop', { timeout: 60_000 }, () => {
  it('observe prints compact lines, the newest last', async () => {
    const { code, stdout } = await zerohop('observe', '--pod', 'netshoot', '--port', '53', '--last', '2');
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(
      /^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\.\d{3}: default\/netshoot:41022 \(ID:\d+\) -> kube-system\/kube-dns:53 \(unknown\) dns-request tc FORWARDED \(DNS Query google\.com\. A\)$/,
    );
  });

  it('observe prints 20 unless told otherwise, and JSON a line at a time', async () => {
    const { stdout } = await zerohop('observe', '-o', 'json');
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows).toHaveLength(20);
    expect(rows[0]).toMatchObject({ node_name: 'k8s-w1', flow: { emitter: { name: 'zerohop' } } });
  });

  it('lrp list and service list have the layout of the field', async () => {
    const [lrp, service] = await Promise.all([zerohop('lrp', 'list'), zerohop('service', 'list')]);
    expect(lrp?.stdout).toBe('LRP namespace   LRP name   FrontendType   Matching Service\n');
    expect(service?.stdout).toMatch(
      /^ID {3}Frontend +Service Type +Backend\n +10\.96\.0\.10:53\/TCP +ClusterIP/,
    );
  });

  it('bpf lb list has the layout of the field, as text, JSON and YAML', async () => {
    const lists = await Promise.all(
      [[], ['-o', 'json'], ['-o', 'yaml']].map((o) => zerohop('bpf', 'lb', 'list', ...o)),
    );
    expect(lists.map(({ stdout }) => stdout)).toEqual([
      'SERVICE ADDRESS   BACKEND ADDRESS (REVNAT_ID) (SLOT)\n',
      '{}\n',
      '{}\n',
    ]);
  });

  it('bpf answers list has its title where the kernel answers nothing, and an empty list', async () => {
    const lists = await Promise.all([[], ['-o', 'json']].map((o) => zerohop('bpf', 'answers', 'list', ...o)));
    const [text, json] = lists.map(({ stdout }) => stdout);
    expect(text).toMatch(/^SHELF +LISTENER +NAME +TYPE +FLAGS +RCODE +RECORDS +TTL +HITS +SIZE\n$/);
    expect(JSON.parse(json ?? '')).toEqual({ entries: [], left: 0 });
  });

  it.each([
    { name: 'no agent there', args: ['observe', '--server', '/nonexistent.sock'], words: 'nobody answers' },
    {
      name: 'a node nobody serves',
      args: ['observe', '--node', 'k8s-w9'],
      words: 'there are agents of k8s-w1',
    },
    {
      name: 'flags that contradict',
      args: ['observe', '--pod', 'a', '--to-pod', 'b'],
      words: '--to-pod and --pod cannot be combined',
    },
    { name: 'what the agent refuses', args: ['observe', '--port', 'http'], words: '"http" is not a port' },
    {
      name: 'an unknown layout',
      args: ['observe', '-o', 'xml'],
      words: '-o is compact, dict, json, jsonpb or table',
    },
    { name: 'an unknown flag', args: ['lrp', 'list', '--what'], words: "unknown option '--what'" },
  ])('says in one place what is wrong: $name', async ({ args, words }) => {
    const { code, stdout, stderr } = await zerohop(...args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('observe ends with 0 on Ctrl-C, and quietly when its reader leaves', async () => {
    const env = { ...process.env, ZEROHOP_SERVER: server };
    const follow = execFile(process.execPath, [MAIN, 'observe', '-f', '--last', '1'], { env });
    follow.stdout?.once('data', () => follow.kill('SIGINT'));
    expect(await new Promise((resolve) => follow.on('close', resolve))).toBe(0);
    const cut = execFile(process.execPath, [MAIN, 'observe', '--all'], { env });
    let complaint = '';
    cut.stderr?.on('data', (text: string) => {
      complaint += text;
    });
    cut.stdout?.once('data', () => cut.stdout?.destroy());
    expect(await new Promise((resolve) => cut.on('exit', resolve))).toBe(0);
    expect(complaint).toBe('');
  });
});
