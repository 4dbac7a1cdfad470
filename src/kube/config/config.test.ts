import { Buffer } from 'node:buffer';
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { errorCode } from '../../fault/app-error.ts';
import { createManualClock } from '../testing/manual-clock.ts';
import { loadKubeConfig } from './load-kube-config.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerohop-kubeconfig-'));
afterAll(() => rmSync(directory, { recursive: true }));

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
const put = (name: string, content: string): string => {
  writeFileSync(join(directory, name), content);
  return join(directory, name);
};
put('ca.pem', PEM);
put('token.txt', 'from-file\n');

interface Parts {
  readonly cluster?: string;
  readonly user?: string;
  readonly current?: string;
}

function kubeconfig({
  cluster = 'server: https://10.0.0.1:6443',
  user = 'token: abc',
  current = 'lab',
}: Parts): string {
  return put(
    'config',
    `apiVersion: v1
kind: Config
current-context: ${current}
clusters: [{ name: c1, cluster: { ${cluster} } }]
users: [{ name: u1, user: { ${user} } }]
contexts:
- { name: lab, context: { cluster: c1, user: u1, namespace: kube-system } }
- { name: lost, context: { cluster: nowhere, user: u1 } }
- { name: anonymous, context: { cluster: c1 } }
`,
  );
}

function failure(run: () => unknown): { code: string | undefined; message: string } {
  try {
    run();
  } catch (error) {
    return { code: errorCode(error), message: String(error) };
  }
  throw new Error('expected a refusal');
}

describe('loadKubeConfig from a kubeconfig', () => {
  it('reads server, namespace and token of the current context', () => {
    const config = loadKubeConfig({ kubeconfig: { file: kubeconfig({}) } });
    expect(config).toMatchObject({ server: 'https://10.0.0.1:6443', namespace: 'kube-system' });
    expect(config.token?.()).toBe('abc');
  });

  it('takes the named context instead of the current one', () => {
    const config = loadKubeConfig({ kubeconfig: { file: kubeconfig({}), context: 'anonymous' } });
    expect(config.token).toBeUndefined();
  });

  it('reads certificates from data and from files beside the kubeconfig', () => {
    const data = Buffer.from(PEM).toString('base64');
    const file = kubeconfig({
      cluster: `server: "https://x:1/prefix/", certificate-authority: ca.pem, tls-server-name: api`,
      user: `client-certificate-data: ${data}, client-key: ca.pem`,
    });
    expect(loadKubeConfig({ kubeconfig: { file } })).toMatchObject({
      server: 'https://x:1/prefix',
      tls: { ca: PEM, cert: PEM, key: PEM, serverName: 'api' },
    });
  });

  it('accepts plain http and insecure-skip-tls-verify', () => {
    const file = kubeconfig({ cluster: 'server: "http://127.0.0.1:8001", insecure-skip-tls-verify: true' });
    expect(loadKubeConfig({ kubeconfig: { file } })).toMatchObject({
      server: 'http://127.0.0.1:8001',
      tls: { insecure: true },
    });
  });

  it('reads a token file relative to the kubeconfig', () => {
    const file = kubeconfig({ user: 'tokenFile: token.txt' });
    expect(loadKubeConfig({ kubeconfig: { file } }).token?.()).toBe('from-file');
  });

  const refusals = [
    {
      name: 'no current context',
      parts: { current: '""' },
      code: 'KUBE_CONFIG_INVALID',
      says: 'current-context',
    },
    { name: 'an unknown context', parts: { current: 'gone' }, code: 'KUBE_CONFIG_INVALID', says: 'contexts' },
    {
      name: 'a context of an unknown cluster',
      parts: { current: 'lost' },
      code: 'KUBE_CONFIG_INVALID',
      says: 'clusters',
    },
    {
      name: 'no server',
      parts: { cluster: 'x: y' },
      code: 'KUBE_CONFIG_INVALID',
      says: 'clusters["c1"].cluster.server',
    },
    {
      name: 'a server that is no URL',
      parts: { cluster: 'server: "10.0.0.1"' },
      code: 'KUBE_CONFIG_INVALID',
      says: '"10.0.0.1"',
    },
    {
      name: 'an exec plugin',
      parts: { user: 'exec: { command: aws-iam-authenticator }' },
      code: 'KUBE_CONFIG_UNSUPPORTED',
      says: 'users["u1"].user.exec is not supported: received aws-iam-authenticator',
    },
    {
      name: 'a proxy in front of the server',
      parts: { cluster: 'server: "https://10.0.0.1", proxy-url: "http://proxy:3128"' },
      code: 'KUBE_CONFIG_UNSUPPORTED',
      says: 'clusters["c1"].cluster.proxy-url is not supported: received http://proxy:3128',
    },
    {
      name: 'to act as somebody else',
      parts: { user: 'token: t, as: admin' },
      code: 'KUBE_CONFIG_UNSUPPORTED',
      says: 'users["u1"].user.as is not supported: received admin',
    },
    {
      name: 'an auth provider',
      parts: { user: 'auth-provider: { name: gcp }' },
      code: 'KUBE_CONFIG_UNSUPPORTED',
      says: 'gcp',
    },
    {
      name: 'a certificate without key',
      parts: { user: 'client-certificate: ca.pem' },
      code: 'KUBE_CONFIG_INVALID',
      says: 'client-key',
    },
    {
      name: 'data that is no PEM',
      parts: { cluster: 'server: "https://x", certificate-authority-data: AAAA' },
      code: 'KUBE_CONFIG_INVALID',
      says: 'certificate-authority-data',
    },
    {
      name: 'a missing certificate file',
      parts: { user: 'client-certificate: gone.pem, client-key: ca.pem' },
      code: 'KUBE_CONFIG_UNREADABLE',
      says: 'users["u1"].user.client-certificate',
    },
    { name: 'broken YAML', parts: { cluster: '{{{' }, code: 'KUBE_CONFIG_INVALID', says: 'config' },
  ];
  it.each(refusals)('refuses $name by file and field', ({ parts, code, says }) => {
    const file = kubeconfig(parts);
    const refused = failure(() => loadKubeConfig({ kubeconfig: { file } }));
    expect(refused.code).toBe(code);
    expect(refused.message).toContain(says);
    expect(refused.message).toContain(directory);
  });

  it('never shows a token in a refusal', () => {
    const file = kubeconfig({ cluster: 'x: y', user: 'token: s3cr3t' });
    expect(failure(() => loadKubeConfig({ kubeconfig: { file } })).message).not.toContain('s3cr3t');
  });
});

describe('loadKubeConfig from an endpoint', () => {
  it.each([
    { endpoint: 'http://127.0.0.1:8080/', config: { server: 'http://127.0.0.1:8080' } },
    { endpoint: 'https://[fd00::1]:6443', config: { server: 'https://[fd00::1]:6443' } },
    { endpoint: 'unix:/run/api.sock', config: { server: 'http://localhost', socketPath: '/run/api.sock' } },
    { endpoint: 'unix:///run/api.sock', config: { server: 'http://localhost', socketPath: '/run/api.sock' } },
  ])('understands $endpoint', ({ endpoint, config }) => {
    expect(loadKubeConfig({ endpoint })).toEqual(config);
  });

  it.each(['', '10.0.0.1:6443', 'ftp://x', 'unix:relative', 'https://u:p@x'])('refuses %j', (endpoint) => {
    expect(failure(() => loadKubeConfig({ endpoint })).code).toBe('KUBE_CONFIG_INVALID');
  });
});

describe('loadKubeConfig inside a cluster', () => {
  const env = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' };
  put('ca.crt', PEM);
  put('namespace', 'kube-system');
  put('token', 'first');

  it('takes address, authority, token and namespace from the pod', () => {
    const config = loadKubeConfig({}, { env, serviceAccountDirectory: directory });
    expect(config).toMatchObject({
      server: 'https://10.96.0.1:443',
      tls: { ca: PEM },
      namespace: 'kube-system',
    });
  });

  it('brackets an IPv6 address', () => {
    const config = loadKubeConfig(
      {},
      { env: { ...env, KUBERNETES_SERVICE_HOST: 'fd00::1' }, serviceAccountDirectory: directory },
    );
    expect(config.server).toBe('https://[fd00::1]:443');
  });

  it('notices a token that the kubelet has swapped by its symbolic link', () => {
    put('token-a', 'aaa');
    put('token-b', 'bbb');
    rmSync(join(directory, 'token'));
    symlinkSync('token-a', join(directory, 'token'));
    const config = loadKubeConfig(
      {},
      { env, clock: createManualClock(), serviceAccountDirectory: directory },
    );
    expect(config.token?.()).toBe('aaa');
    symlinkSync('token-b', join(directory, 'next'));
    renameSync(join(directory, 'next'), join(directory, 'token'));
    expect(config.token?.()).toBe('bbb');
  });

  it.each([
    { name: 'outside a pod', environment: {}, says: 'KUBERNETES_SERVICE_HOST' },
    {
      name: 'with a port that is none',
      environment: { ...env, KUBERNETES_SERVICE_PORT: 'tcp://x' },
      says: 'tcp://x',
    },
  ])('refuses $name', ({ environment, says }) => {
    const refused = failure(() =>
      loadKubeConfig({}, { env: environment, serviceAccountDirectory: directory }),
    );
    expect(refused.code).toBe('KUBE_NOT_IN_CLUSTER');
    expect(refused.message).toContain(says);
  });

  it('names the file when the token is not mounted', () => {
    const refused = failure(() =>
      loadKubeConfig({}, { env, serviceAccountDirectory: join(directory, 'gone') }),
    );
    expect(refused.code).toBe('KUBE_CONFIG_UNREADABLE');
    expect(refused.message).toContain(join(directory, 'gone', 'token'));
  });
});
