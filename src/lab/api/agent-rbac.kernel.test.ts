/** What a real agent asks of a whole API server, held against the rules that manifests grant it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Agent, cleanupNode, startAgent } from '../../agent/agent.ts';
import {
  AGENT_ANSWER_RULES,
  AGENT_NAMESPACE_RULES,
  AGENT_RULES,
  AGENT_WATCH_RULES,
} from '../../kube/rbac.ts';
import { grantsOf, isGranted, requestOf } from '../../kube/testing/rbac-check.ts';
import { createHeardLog, until } from '../../kube/testing/scripted-server.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { createApiServer } from './http-server.ts';

const POLICY = {
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumLocalRedirectPolicy',
  metadata: { name: 'p', namespace: 'default' },
  spec: {
    redirectFrontend: { serviceMatcher: { serviceName: 's', namespace: 'default' } },
    redirectBackend: { localEndpointSelector: {}, toPorts: [{ port: '53', protocol: 'UDP' }] },
  },
};

const requests: { readonly method: string; readonly url: string }[] = [];
const api = createApiServer({ clock: systemClock });
const server = createServer((req, res) => {
  requests.push({ method: req.method ?? '', url: req.url ?? '' });
  api.handler(req, res);
});
const directory = mkdtempSync(join(tmpdir(), 'zerohop-rbac-'));
const pinDirectory = join(directory, 'pins');
let agent: Agent | undefined;

beforeEach(async () => {
  requests.length = 0;
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  api.store.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } });
  api.store.apply(POLICY);
});
afterEach(async () => {
  await agent?.close();
  cleanupNode(pinDirectory);
  api.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

async function start(reportStatus: boolean, more: { readonly kernelAnswers?: number } = {}): Promise<void> {
  agent = await startAgent({
    nodeName: 'w1',
    kube: { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    ...{ pinDirectory, socketPath: join(directory, 'agent.sock'), log: createHeardLog(), reportStatus },
    ...more,
  });
}

const asked = () => requests.flatMap(({ method, url }) => requestOf(method, url) ?? []);
const uses = (verb: string, resource: string) =>
  asked().some((request) => request.verb === verb && request.resource === resource);

describe('the rules of the agent', () => {
  it('grant exactly what it asks for, and what it only reads when it reports nothing', async () => {
    await start(true);
    const granted = grantsOf([...AGENT_RULES, ...AGENT_NAMESPACE_RULES]);
    // Only a second event of the same words is a patch.
    const rare = ['/events patch'];
    const unused = () => {
      const used = new Set(asked().map(({ apiGroup, resource, verb }) => `${apiGroup}/${resource} ${verb}`));
      return granted.filter((grant) => !used.has(grant) && !rare.includes(grant));
    };
    await expect.poll(unused, { timeout: 40_000 }).toEqual([]);
    const inNamespace = { namespace: 'kube-system', rules: AGENT_NAMESPACE_RULES };
    expect(asked().filter((request) => !isGranted(request, { cluster: AGENT_RULES, inNamespace }))).toEqual(
      [],
    );
    expect(
      requests.some(({ url }) =>
        url.startsWith('/api/v1/pods?resourceVersion=0&fieldSelector=spec.nodeName'),
      ),
    ).toBe(true);
    await agent?.close();
    requests.length = 0;
    await start(false);
    await until('the watches', () =>
      ['services', 'pods', 'endpointslices'].every((kind) => uses('watch', kind)),
    );
    expect(asked().filter((request) => !isGranted(request, { cluster: AGENT_WATCH_RULES }))).toEqual([]);
    expect(requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  }, 120_000);

  it('grant the reading of network policies to one that answers from the kernel, and that is all it needs', async () => {
    await start(false, { kernelAnswers: 1000 });
    await until('the watch', () => uses('watch', 'networkpolicies'));
    const cluster = [...AGENT_WATCH_RULES, ...AGENT_ANSWER_RULES];
    expect(asked().filter((request) => !isGranted(request, { cluster }))).toEqual([]);
    const used = new Set(asked().map(({ apiGroup, resource, verb }) => `${apiGroup}/${resource} ${verb}`));
    expect(grantsOf(AGENT_ANSWER_RULES).filter((grant) => !used.has(grant))).toEqual([]);
  }, 60_000);
});
