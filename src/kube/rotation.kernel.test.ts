import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { errorCode } from '../fault/app-error.ts';
import { createKubeClient, type KubeClient } from './client.ts';
import { loadKubeConfig } from './config/load-kube-config.ts';
import { makeCertificate } from './testing/certificate.ts';
import { createManualClock } from './testing/manual-clock.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerohop-rotation-'));
const at = (name: string) => join(directory, name);
const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const certificate = (name: string) => makeCertificate(directory, name);

interface Endpoint {
  readonly url: string;
  readonly server: Server;
}

/** Says who the client is, and what token it came with; its watches never end by themselves. */
async function startServer(options: {
  cert: string;
  key: string;
  ca?: readonly string[];
}): Promise<Endpoint> {
  const { ca, ...own } = options;
  const asks = ca === undefined ? {} : { ca: [...ca], requestCert: true, rejectUnauthorized: false };
  const server = createServer({ ...own, ...asks }, (req, res) => {
    const subject = (req.socket as TLSSocket).getPeerCertificate()?.subject;
    if (req.url?.includes('watch=true')) {
      res.write(`${subject?.CN ?? 'nobody'}\n`);
      return;
    }
    res.end(JSON.stringify({ user: subject?.CN ?? 'nobody', token: req.headers.authorization ?? '' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push({
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  });
  return { server, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function clientFrom(kubeconfig: string): KubeClient {
  writeFileSync(at('config'), kubeconfig);
  const client = createKubeClient(loadKubeConfig({ kubeconfig: { file: at('config') } }));
  opened.push(client);
  return client;
}

const config = (server: string, cluster: string, user: string) => `
apiVersion: v1
kind: Config
current-context: c
contexts: [{ name: c, context: { cluster: k, user: u } }]
clusters: [{ name: k, cluster: { server: "${server}", ${cluster} } }]
users: [{ name: u, user: { ${user} } }]
`;

describe('credentials that are replaced on disk', () => {
  it('a client certificate is used from the next request on, and the watch that is open goes on', async () => {
    const api = certificate('api');
    const [first, second] = [certificate('first'), certificate('second')];
    const { url } = await startServer({ ...api, ca: [first.cert, second.cert] });
    copyFileSync(at('first.crt'), at('user.crt'));
    copyFileSync(at('first.key'), at('user.key'));
    const client = clientFrom(
      config(url, 'certificate-authority: api.crt', 'client-certificate: user.crt, client-key: user.key'),
    );
    expect(await client.get('/who')).toMatchObject({ user: 'first' });
    const abort = new AbortController();
    const watch = await client.stream('/things', { watch: true }, abort.signal);
    const lines = watch[Symbol.asyncIterator]();
    expect(Buffer.from((await lines.next()).value ?? []).toString()).toBe('first\n');

    copyFileSync(at('second.crt'), at('user.crt'));
    // The key is still the other one's: nothing that could be used, and a request meanwhile fails or is the old user.
    await client.get('/who').catch(() => undefined);
    copyFileSync(at('second.key'), at('user.key'));
    expect(await client.get('/who')).toMatchObject({ user: 'second' });
    const next = lines.next();
    const silent = Symbol('silent');
    expect(await Promise.race([next, new Promise((resolve) => setImmediate(() => resolve(silent)))])).toBe(
      silent,
    );
    abort.abort();
    await next.catch(() => undefined);
  }, 60_000);

  it('a new authority is believed once its file is there, the old server not any more', async () => {
    const [old, fresh] = [certificate('old'), certificate('fresh')];
    const before = await startServer(old);
    copyFileSync(at('old.crt'), at('ca.crt'));
    const client = clientFrom(config(before.url, 'certificate-authority: ca.crt', 'token: t'));
    expect(await client.get('/who')).toMatchObject({ token: 'Bearer t' });
    before.server.setSecureContext(fresh);
    before.server.closeAllConnections();
    const refused = await client.get('/who').then(
      () => undefined,
      (error: unknown) => errorCode(error),
    );
    expect(refused).toBe('KUBE_UNREACHABLE');
    copyFileSync(at('fresh.crt'), at('ca.crt'));
    expect(await client.get('/who')).toMatchObject({ token: 'Bearer t' });
  }, 60_000);

  it("a pod's token and authority are read again when the kubelet swaps them", async () => {
    const [one, two] = [certificate('one'), certificate('two')];
    const { server, url } = await startServer(one);
    const port = new URL(url).port;
    const pod = mkdtempSync(join(directory, 'pod-'));
    copyFileSync(at('one.crt'), join(pod, 'ca.crt'));
    writeFileSync(join(pod, 'token'), 'first\n');
    const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: port };
    const options = { env, clock: createManualClock(), serviceAccountDirectory: pod };
    const client = createKubeClient(loadKubeConfig({}, options));
    opened.push(client);
    expect(await client.get('/who')).toMatchObject({ token: 'Bearer first' });
    writeFileSync(join(pod, 'token'), 'second token\n');
    expect(await client.get('/who')).toMatchObject({ token: 'Bearer second token' });
    server.setSecureContext(two);
    server.closeAllConnections();
    copyFileSync(at('two.crt'), join(pod, 'ca.crt'));
    expect(await client.get('/who')).toMatchObject({ token: 'Bearer second token' });
  }, 60_000);
});
