/** What an ordinary kubectl shows of a policy on which the agents report. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StatusReport, startStatusReport } from '../../agent/report/status-report.ts';
import { createKubeClient, type KubeClient } from '../../kube/client.ts';
import { createHeardLog } from '../../kube/testing/scripted-server.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { createApiServer } from './http-server.ts';

const home = mkdtempSync(join(tmpdir(), 'zerohop-kubectl-status-'));
const api = createApiServer({ clock: systemClock });
const server = createServer(api.handler);
let endpoint = '';
let client: KubeClient | undefined;
let report: StatusReport | undefined;

const MANIFEST = `apiVersion: cilium.io/v2
kind: CiliumLocalRedirectPolicy
metadata: { name: nodelocaldns, namespace: kube-system }
spec:
  redirectFrontend: { serviceMatcher: { serviceName: kube-dns, namespace: kube-system } }
  redirectBackend:
    localEndpointSelector: { matchLabels: { k8s-app: node-local-dns } }
    toPorts: [{ port: "53", protocol: UDP, name: dns }]
`;

function kubectl(...args: readonly string[]): Promise<string> {
  const env = { PATH: process.env.PATH ?? '', HOME: home, KUBECONFIG: join(home, 'config') };
  return new Promise((resolve, reject) => {
    execFile(
      'kubectl',
      ['--server', endpoint, ...args],
      { env, timeout: 20_000 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${error.message}\n${stderr}`));
      },
    );
  });
}

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  api.store.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } });
  writeFileSync(join(home, 'config'), 'apiVersion: v1\nkind: Config\n');
  writeFileSync(join(home, 'policy.yaml'), MANIFEST);
  client = createKubeClient({ server: endpoint });
  const uid = () =>
    api.store.find({ kind: 'CiliumLocalRedirectPolicy', namespace: 'kube-system', name: 'nodelocaldns' })
      ?.metadata.uid;
  const waiting = {
    ...({ policy: 'kube-system/nodelocaldns', state: 'waiting', realised: 'none' } as const),
    reason: 'no pod of namespace kube-system on node k8s-w1 matches k8s-app=node-local-dns',
  };
  report = startStatusReport({
    ...{ client, namespace: 'kube-system', nodeName: 'k8s-w1', clock: systemClock, random: Math.random },
    nodeUid: () => undefined,
    report: () => {
      const id = uid();
      return id === undefined
        ? undefined
        : { node: 'k8s-w1', policies: [{ ...waiting, uid: id }], omitted: 0 };
    },
    log: createHeardLog(),
  });
});
afterAll(async () => {
  await report?.close();
  client?.close();
  api.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(home, { recursive: true, force: true });
});

/** Asks again until the answer says so; a minute is for a busy machine. */
async function seen(args: readonly string[], words: RegExp): Promise<string> {
  for (let look = 0; ; look++) {
    const output = await kubectl(...args);
    if (words.test(output) || look > 200) {
      expect(output).toMatch(words);
      return output;
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

describe('kubectl', () => {
  it('shows the conditions, the events and the leases', async () => {
    await kubectl('apply', '-f', join(home, 'policy.yaml'));
    const named = ['clrp', 'nodelocaldns', '-n', 'kube-system'];
    const yaml = await seen(['get', ...named, '-o', 'yaml'], /reason: NoBackend/);
    expect(yaml).toContain("message: 'realised on 0 of 1 nodes; k8s-w1: no pod of namespace kube-system on");
    // Written once or twice, as the node's report was there in time for the first or not: each is a generation.
    const observed = new Set([...yaml.matchAll(/observedGeneration: (\d+)\n/g)].map(([, number]) => number));
    expect([...observed]).toEqual([/^ {2}generation: (\d+)$/m.exec(yaml)?.[1]]);
    const described = await seen(['describe', ...named], /Warning +NoBackend/);
    expect(described).toMatch(/Type: +Accepted/);
    expect(described).toMatch(/Normal +Accepted .*zerohop-agent/);
    const events = await kubectl('get', 'events', '-n', 'kube-system');
    expect(events).toMatch(/NoBackend +ciliumlocalredirectpolicy\/nodelocaldns +realised on 0 of 1 nodes/);
    const leases = await kubectl('get', 'leases', '-n', 'kube-system');
    expect(leases).toMatch(/NAME +HOLDER +AGE\nzerohop-k8s-w1 +k8s-w1 +[\dms]+\nzerohop-status +k8s-w1 +/);
    // Applying the manifest again neither changes the object nor takes the status away.
    expect(await kubectl('apply', '-f', join(home, 'policy.yaml'))).toContain('unchanged');
    expect(await kubectl('get', ...named, '-o', 'jsonpath={.status.conditions[*].type}')).toBe(
      'Accepted Realised',
    );
  }, 120_000);
});
