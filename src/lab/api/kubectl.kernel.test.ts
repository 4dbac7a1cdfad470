/**
 * The server as an ordinary kubectl sees it: the program itself, found in PATH, with a home of its own. Further ones may
 * be named in ZEROHOP_TEST_KUBECTLS (paths separated by colons), to try other versions.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../telemetry/clock.ts';
import { createApiServer } from './http-server.ts';

const home = mkdtempSync(join(tmpdir(), 'zerohop-kubectl-'));
const api = createApiServer({ clock: systemClock });
const server = createServer(api.handler);
let endpoint = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  api.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(home, { recursive: true, force: true });
});

interface Outcome {
  readonly code: number;
  readonly output: string;
}

/** Rejects when there is no such program. */
function runWith(kubectl: string): (...args: readonly string[]) => Promise<Outcome> {
  return (...args) =>
    new Promise((resolve, reject) => {
      execFile(
        kubectl,
        ['--server', endpoint, ...args],
        { env, timeout: 20_000 },
        (error, stdout, stderr) => {
          if (error !== null && error.code === 'ENOENT')
            reject(
              new Error(
                `Cannot run kubectl: it is not in PATH; the test set-up installs kubernetes-client: received ${kubectl}`,
              ),
            );
          else resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
        },
      );
    });
}

function put(name: string, content: string): string {
  writeFileSync(join(home, name), content);
  return join(home, name);
}

const env = {
  PATH: process.env.PATH ?? '',
  HOME: home,
  KUBECONFIG: put('empty-config', 'apiVersion: v1\nkind: Config\n'),
};

/** As the first report prints it, through yq. */
const FIRST_REPORT = put(
  'first.yaml',
  `{
  "apiVersion": "cilium.io/v2",
  "kind": "CiliumLocalRedirectPolicy",
  "metadata": {
    "name": "nodelocaldns",
    "namespace": "kube-system"
  },
  "spec": {
    "redirectFrontend": {
      "serviceMatcher": {
        "serviceName": "kube-dns",
        "namespace": "kube-system"
      }
    },
    "redirectBackend": {
      "localEndpointSelector": {
        "matchLabels": {
          "k8s-app": "node-local-dns"
        }
      },
      "toPorts": [
        {
          "port": "53",
          "name": "dns",
          "protocol": "UDP"
        },
        {
          "port": "53",
          "name": "dns-tcp",
          "protocol": "TCP"
        }
      ]
    }
  }
}
`,
);

/** As the second report writes it, with the indentation that its page lost. */
const SECOND_REPORT = put(
  'second.yaml',
  `# lrp-nodelocaldns.yaml
apiVersion: cilium.io/v2
kind: CiliumLocalRedirectPolicy
metadata:
  name: nodelocaldns
  namespace: kube-system
spec:
  redirectFrontend:
    serviceMatcher:
      serviceName: kube-dns
      namespace: kube-system
  redirectBackend:
    localEndpointSelector:
      matchLabels:
        k8s-app: node-local-dns
    toPorts:
    - port: "53"
      protocol: UDP
      name: "dns"
    - port: "53"
      protocol: TCP
      name: "dns-tcp"
`,
);

const serviceYaml = (selector: string) => `apiVersion: v1
kind: Service
metadata: { name: kube-dns, namespace: kube-system }
spec:
  clusterIP: 10.96.0.10
  selector: { k8s-app: ${selector} }
  ports:
  - { name: dns, port: 53, protocol: UDP }
  - { name: dns-tcp, port: 53, protocol: TCP }
`;

const OTHER_FRONTEND = `apiVersion: cilium.io/v2
kind: CiliumLocalRedirectPolicy
metadata: { name: nodelocaldns, namespace: kube-system }
spec:
  redirectFrontend: { serviceMatcher: { serviceName: other, namespace: kube-system } }
  redirectBackend:
    localEndpointSelector: { matchLabels: { k8s-app: node-local-dns } }
    toPorts: [{ port: "53", protocol: UDP, name: dns }, { port: "53", protocol: TCP, name: dns-tcp }]
`;

const BROKEN_PORT = `apiVersion: cilium.io/v2
kind: CiliumLocalRedirectPolicy
metadata: { name: broken, namespace: kube-system }
spec:
  redirectFrontend: { serviceMatcher: { serviceName: kube-dns, namespace: kube-system } }
  redirectBackend:
    localEndpointSelector: { matchLabels: { k8s-app: node-local-dns } }
    toPorts: [{ port: 53, protocol: SCTP }]
`;

const POD = 'node-local-dns-4sh8s';

beforeAll(() => {
  const { store } = api;
  store.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } });
  store.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: POD, namespace: 'kube-system', labels: { 'k8s-app': 'node-local-dns' } },
    spec: { nodeName: 'k8s-w1', containers: [{ name: 'node-cache', image: 'zerohop' }] },
  });
  store.patchStatus(
    { kind: 'Pod', namespace: 'kube-system', name: POD },
    {
      phase: 'Running',
      podIP: '172.20.1.247',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [{ name: 'node-cache', ready: true, restartCount: 2 }],
    },
  );
});

const others = (process.env.ZEROHOP_TEST_KUBECTLS ?? '').split(':').filter((path) => path !== '');

describe.each(['kubectl', ...others])('%s', (kubectl) => {
  const run = runWith(kubectl);

  it('creates, finds unchanged, shows and deletes the policy of the field reports', async () => {
    const created = await run('apply', '-f', FIRST_REPORT);
    expect(created).toEqual({
      code: 0,
      output: 'ciliumlocalredirectpolicy.cilium.io/nodelocaldns created\n',
    });
    const again = await run('apply', '-f', FIRST_REPORT);
    expect(again.output).toBe('ciliumlocalredirectpolicy.cilium.io/nodelocaldns unchanged\n');
    const other = await run('apply', '-f', SECOND_REPORT);
    expect(other.output).toBe('ciliumlocalredirectpolicy.cilium.io/nodelocaldns unchanged\n');

    const listed = await run('get', 'CiliumLocalRedirectPolicy', '-A');
    expect(listed.output).toMatch(/^NAMESPACE +NAME +AGE\nkube-system +nodelocaldns +[\dms]+\n$/);
    const yaml = await run('get', 'lrp', 'nodelocaldns', '-n', 'kube-system', '-o', 'yaml');
    expect(yaml.output).toContain('k8s-app: node-local-dns');
    const described = await run('describe', 'clrp', '-n', 'kube-system');
    expect(described.output).toMatch(/Name: +nodelocaldns/);

    const deleted = await run('delete', '-f', SECOND_REPORT);
    expect(deleted.output).toContain('ciliumlocalredirectpolicy.cilium.io "nodelocaldns" deleted');
    expect((await run('get', 'lrp', '-A')).output).toBe('No resources found\n');
  }, 60_000);

  it('creates, configures and deletes a service whose two ports share a number', async () => {
    const before = put('service.yaml', serviceYaml('kube-dns'));
    const after = put('service-2.yaml', serviceYaml('other'));
    expect((await run('apply', '-f', before)).output).toBe('service/kube-dns created\n');
    expect((await run('apply', '-f', before)).output).toBe('service/kube-dns unchanged\n');
    expect((await run('apply', '-f', after)).output).toBe('service/kube-dns configured\n');
    const wide = await run('get', 'svc', '-n', 'kube-system', '-o', 'wide');
    expect(wide.output).toMatch(
      /kube-dns +ClusterIP +10\.96\.0\.10 +<none> +53\/UDP,53\/TCP +[\dms]+ +k8s-app=other/,
    );
    expect((await run('delete', '-f', after)).code).toBe(0);
  }, 60_000);

  it('lists pods, services and policies together', async () => {
    await run('apply', '-f', put('service.yaml', serviceYaml('kube-dns')), '-f', FIRST_REPORT);
    const all = await run('get', 'pods,svc,ciliumlocalredirectpolicies', '-A');
    expect(all.code).toBe(0);
    expect(all.output).toMatch(/NAMESPACE +NAME +READY +STATUS +RESTARTS +AGE\n/);
    expect(all.output).toMatch(/kube-system +pod\/node-local-dns-4sh8s +1\/1 +Running +2 +[\dms]+/);
    expect(all.output).toMatch(/kube-system +service\/kube-dns +ClusterIP +10\.96\.0\.10/);
    expect(all.output).toMatch(/kube-system +ciliumlocalredirectpolicy\.cilium\.io\/nodelocaldns +[\dms]+/);
    const short = await run('get', 'pods,lrp', '-A');
    expect(short.output).toContain('ciliumlocalredirectpolicy.cilium.io/nodelocaldns');
    const wide = await run('get', 'pods', '-o', 'wide', '-n', 'kube-system', '-l', 'k8s-app=node-local-dns');
    expect(wide.output).toMatch(/1\/1 +Running +2 +[\dms]+ +172\.20\.1\.247 +k8s-w1 +<none> +<none>/);
    await run('delete', 'svc,lrp', '--all', '-n', 'kube-system');
  }, 60_000);

  it('is told in the words of a cluster why a policy is refused', async () => {
    await run('apply', '-f', FIRST_REPORT);
    const immutable = await run('apply', '-f', put('other.yaml', OTHER_FRONTEND));
    expect(immutable.code).toBe(1);
    expect(immutable.output).toContain('redirectFrontend is immutable');
    const broken = await run('apply', '-f', put('broken.yaml', BROKEN_PORT));
    expect(broken.output).toContain(
      'spec.redirectBackend.toPorts[0].port in body must be of type string: "integer"',
    );
    expect(broken.output).toContain('supported values: "TCP", "UDP"');
    await run('delete', '-f', FIRST_REPORT);
  }, 60_000);

  it('sees changes with get -w', async () => {
    const child = spawn(kubectl, ['--server', endpoint, 'get', 'pods', '-n', 'default', '-w'], { env });
    let output = '';
    child.on('error', (error) => {
      output = error.message;
    });
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
    });
    const seen = async (text: RegExp): Promise<void> => {
      for (let look = 0; look < 2000 && !text.test(output); look++)
        await new Promise((resolve) => setTimeout(resolve, 10));
      expect(output).toMatch(text);
    };
    const manifest = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'seen' },
      spec: { containers: [{ name: 'c' }] },
    };
    api.store.apply({ ...manifest, metadata: { name: 'before' } });
    await seen(/before +0\/1 +Pending/);
    api.store.apply(manifest);
    await seen(/seen +0\/1 +Pending/);
    api.store.patchStatus({ kind: 'Pod', namespace: 'default', name: 'seen' }, { phase: 'Running' });
    await seen(/seen +0\/1 +Running/);
    child.kill();
    for (const name of ['before', 'seen']) api.store.delete({ kind: 'Pod', namespace: 'default', name });
  }, 60_000);

  it('applies, shows by its short name and deletes a network policy, with what it leaves out filled in', async () => {
    const file = put(
      'netpol.yaml',
      `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: closed, namespace: default }
spec:
  podSelector: { matchLabels: { app: web } }
  egress: [{ ports: [{ protocol: TCP, port: 443 }] }]
`,
    );
    expect((await run('apply', '-f', file)).output).toMatch(
      /networkpolicy.networking.k8s.io\/closed created/,
    );
    expect((await run('apply', '-f', file)).output).toMatch(/closed unchanged/);
    const listed = await run('get', 'netpol', '-n', 'default');
    expect(listed.output).toMatch(/^NAME +POD-SELECTOR +AGE\nclosed +app=web +\d+s\n$/);
    const types = await run('get', 'networkpolicy', 'closed', '-o', 'jsonpath={.spec.policyTypes}');
    expect(types.output).toContain('Egress');
    const bad = put(
      'netpol-bad.yaml',
      'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: bad }\nspec: { podSelector: {}, egress: [{ to: [{}] }] }\n',
    );
    expect((await run('apply', '-f', bad)).output).toContain('must specify a peer');
    expect((await run('delete', 'netpol', 'closed')).output).toMatch(/"closed" deleted/);
  });

  it('labels, patches and annotates', async () => {
    expect((await run('label', 'pod', POD, '-n', 'kube-system', 'a=b', '--overwrite')).code).toBe(0);
    expect((await run('annotate', 'pod', POD, '-n', 'kube-system', 'c=d', '--overwrite')).code).toBe(0);
    const patched = await run(
      'patch',
      'pod',
      POD,
      '-n',
      'kube-system',
      '-p',
      '{"metadata":{"labels":{"a":null}}}',
    );
    expect(patched.code).toBe(0);
    const labels = api.store.find({ kind: 'Pod', namespace: 'kube-system', name: POD })?.metadata.labels;
    expect(labels).toEqual({ 'k8s-app': 'node-local-dns' });
  }, 60_000);

  it('is told where to go for logs', async () => {
    const logs = await run('logs', POD, '-n', 'kube-system');
    expect(logs.output).toContain(`zerohop lab logs ${POD}`);
  }, 60_000);
});
