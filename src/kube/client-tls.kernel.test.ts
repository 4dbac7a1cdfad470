import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKubeClient } from './client.ts';
import type { KubeTls } from './config/config.ts';
import { makeCertificate } from './testing/certificate.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerohop-tls-'));

const api = makeCertificate(directory, 'api');
const user = makeCertificate(directory, 'user');
const server = createServer(
  { ...api, ca: user.cert, requestCert: true, rejectUnauthorized: false },
  (req, res) => {
    const { subject } = (req.socket as TLSSocket).getPeerCertificate();
    res.end(JSON.stringify({ user: subject?.CN ?? 'nobody' }));
  },
);
let endpoint = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true });
});

async function ask(tls: KubeTls): Promise<unknown> {
  const client = createKubeClient({ server: endpoint, tls });
  try {
    return await client.get('/');
  } finally {
    client.close();
  }
}

describe('createKubeClient over TLS', () => {
  it('trusts the authority it was given', async () => {
    expect(await ask({ ca: api.cert })).toEqual({ user: 'nobody' });
  });

  it('shows its client certificate', async () => {
    expect(await ask({ ca: api.cert, cert: user.cert, key: user.key })).toEqual({ user: 'user' });
  });

  it('trusts anybody only when told so', async () => {
    expect(await ask({ insecure: true })).toEqual({ user: 'nobody' });
  });

  it.each([
    { name: 'no authority', tls: {} },
    { name: 'another authority', tls: { ca: user.cert } },
    { name: 'another name', tls: { ca: api.cert, serverName: 'elsewhere' } },
  ])('refuses the server with $name', async ({ tls }) => {
    await expect(ask(tls)).rejects.toMatchObject({ code: 'KUBE_UNREACHABLE' });
  });
});
