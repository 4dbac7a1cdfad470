/** What a policy's author writes is shown without being obeyed, in every layout: lists run on the terminals of operators. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Agent, startNode } from '../../src/agent/agent.ts';
import type { LocalRedirectPolicyRow } from '../../src/cluster/rows.ts';
import type { Datapath } from '../../src/datapath/datapath.ts';
import { createFakeKernel, openFakeDatapath } from '../../src/datapath/fake-datapath.ts';
import { SAMPLE_CLUSTER } from '../../src/flow/testing/sample-cluster.ts';
import { createStore } from '../../src/store/store.ts';
import { systemClock } from '../../src/telemetry/clock.ts';

const MAIN = new URL('../../src/cli/boot/zerohop.mjs', import.meta.url).pathname;
/** A colour by ESC and by its C1 form, a line end, DEL, a turned direction, a tag beyond the basic plane. */
const EVIL = '\x1b[31m\u009b32m\r\n\x7f\u202e\u2028\u{e0041}x';
const OBEYED = /[^\P{C}\n]|[\p{Zl}\p{Zp}]/u;

const home = mkdtempSync(join(tmpdir(), 'zerohop-hostile-'));
const socket = join(home, 'agent.sock');
let datapath: Datapath;
let agent: Agent;

const POLICY: LocalRedirectPolicyRow = {
  ...{ namespace: 'kube-system', name: 'evil', uid: 'u', createdAtMs: 0, skipRedirectFromBackend: false },
  serviceMatcher: { serviceName: EVIL, namespace: 'kube-system', toPorts: [] },
  backendSelector: {
    matchLabels: { a: EVIL },
    matchExpressions: [{ key: EVIL, operator: EVIL, values: [] }],
  },
  backendPorts: [{ port: EVIL, protocol: EVIL, name: EVIL }],
};

beforeAll(async () => {
  datapath = openFakeDatapath({ kernel: createFakeKernel(), clock: systemClock });
  const log = {
    debug: () => undefined,
    info: () => undefined,
    warning: () => undefined,
    error: () => undefined,
    fatal: () => process.exit(1),
  };
  const localRedirectPolicies = new Map([['kube-system/evil', POLICY]]);
  agent = await startNode({
    ...{ nodeName: 'k8s-w1', missing: createStore(new Set<never>()), datapath, socketPath: socket },
    ...{ snapshot: createStore({ ...SAMPLE_CLUSTER, localRedirectPolicies }), log, clock: systemClock },
  });
});

afterAll(async () => {
  await agent.close();
  datapath.close();
  rmSync(home, { recursive: true, force: true });
});

const list = async (...args: readonly string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, [MAIN, 'lrp', 'list', '--server', socket, ...args])).stdout;

it('text shows nothing that a terminal obeys', async () => {
  const text = await list();
  expect(text).toContain('malformed: ');
  expect(text).not.toMatch(OBEYED);
});

it.each([
  { layout: 'json', read: (text: string): unknown => JSON.parse(text) },
  { layout: 'yaml', read: (text: string): unknown => parse(text) },
])('$layout neither, and loses nothing', async ({ layout, read }) => {
  const text = await list('-o', layout);
  expect(text).not.toMatch(OBEYED);
  expect(read(text)).toMatchObject([{ name: 'evil', 'service-id': `kube-system/${EVIL}` }]);
});
