import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { errorCode } from '../fault/app-error.ts';
import { createKubeClient, type KubeClient } from './client.ts';
import { createManualClock } from './testing/manual-clock.ts';
import { type Scene, startScriptedServer } from './testing/scripted-server.ts';

// Real sockets on a busy machine: the waits inside are bounded by looks, not by this.
vi.setConfig({ testTimeout: 30_000 });

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0)) await thing.close();
});

async function clientOf(scene: Scene, token?: string): Promise<KubeClient> {
  const server = await startScriptedServer(scene);
  const client = createKubeClient({
    server: server.endpoint,
    ...(token === undefined ? {} : { token: () => token }),
  });
  opened.push(client, server);
  return client;
}

function say(res: ServerResponse, status: number, body: string): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(body);
}

async function failureOf(promise: Promise<unknown>): Promise<{ code: string | undefined; message: string }> {
  try {
    await promise;
  } catch (error) {
    return { code: errorCode(error), message: String(error) };
  }
  throw new Error('expected a refusal');
}

const status = (code: number, reason: string, message: string) =>
  JSON.stringify({ kind: 'Status', status: 'Failure', code, reason, message });

describe('createKubeClient', () => {
  it('sends the token, the query and a patch with its content type', async () => {
    const seen: unknown[] = [];
    const client = await clientOf((req, res, url) => {
      seen.push([req.method, url.search, req.headers.authorization, req.headers['content-type']]);
      say(res, 200, '{}');
    }, 'abc');
    await client.get('/api/v1/pods', { limit: 500, labelSelector: 'a in (b,c)', continue: undefined });
    await client.patch('/api/v1/pods/x', { a: 1 });
    expect(seen).toEqual([
      ['GET', '?limit=500&labelSelector=a+in+%28b%2Cc%29', 'Bearer abc', undefined],
      ['PATCH', '', 'Bearer abc', 'application/merge-patch+json'],
    ]);
  });

  it.each([
    { http: 401, code: 'KUBE_FORBIDDEN' },
    { http: 403, code: 'KUBE_FORBIDDEN' },
    { http: 404, code: 'KUBE_NOT_FOUND' },
    { http: 409, code: 'KUBE_CONFLICT' },
    { http: 410, code: 'KUBE_GONE' },
    { http: 422, code: 'KUBE_INVALID' },
    { http: 500, code: 'KUBE_REFUSED' },
  ])('reports $http as $code with the words of the server', async ({ http, code }) => {
    const client = await clientOf((_req, res) =>
      say(res, http, status(http, 'SomeReason', 'because of this')),
    );
    const refused = await failureOf(client.get('/api/v1/pods'));
    expect(refused.code).toBe(code);
    expect(refused.message).toContain(`because of this: received ${http} SomeReason`);
    await expect(client.stream('/api/v1/pods', {}, new AbortController().signal)).rejects.toMatchObject({
      code,
      status: http,
    });
  });

  it.each([
    { name: 'a login page', body: '<html>sign in</html>' },
    { name: 'half of an object', body: '{"kind":' },
    { name: 'nothing', body: '' },
  ])('calls $name no answer of an API server', async ({ body }) => {
    const client = await clientOf((_req, res) => say(res, 200, body));
    expect((await failureOf(client.get('/api/v1/pods'))).code).toBe('KUBE_BAD_ANSWER');
  });

  it('reports a plain-text refusal with its text', async () => {
    const client = await clientOf((_req, res) => say(res, 503, 'upstream connect\nerror'));
    expect((await failureOf(client.get('/x'))).message).toContain('upstream connect');
  });

  it.each([
    { name: 'before the answer', scene: ((_req, res) => res.destroy()) satisfies Scene },
    {
      name: 'inside the answer',
      scene: ((_req, res) => {
        res.writeHead(200, { 'content-length': '1000' });
        res.write('{"items":[', () => res.destroy());
      }) satisfies Scene,
    },
  ])('reports a connection that breaks $name as unreachable', async ({ scene }) => {
    const client = await clientOf(scene);
    expect((await failureOf(client.get('/x'))).code).toBe('KUBE_UNREACHABLE');
  });

  it('reports a server that is not there, by address', async () => {
    const client = createKubeClient({ server: 'http://127.0.0.1:1' });
    opened.push(client);
    const refused = await failureOf(client.get('/version'));
    expect(refused.code).toBe('KUBE_UNREACHABLE');
    expect(refused.message).toContain('http://127.0.0.1:1');
  });

  it('refuses an answer beyond the bound without holding it', async () => {
    const megabyte = 'x'.repeat(1024 * 1024);
    const client = await clientOf((_req, res) => {
      res.writeHead(200);
      const fill = (left: number): void => {
        if (left > 0 && !res.destroyed) res.write(megabyte, () => fill(left - 1));
        else res.end();
      };
      fill(80);
    });
    expect((await failureOf(client.get('/x'))).code).toBe('KUBE_ANSWER_TOO_LARGE');
  });

  it('speaks over a unix socket', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'zerohop-client-'));
    const socketPath = join(directory, 'api.sock');
    const server = createServer((_req, res) => say(res, 200, '{"major":"1"}'));
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    const client = createKubeClient({ server: 'http://localhost', socketPath });
    opened.push(client, server, { close: () => rmSync(directory, { recursive: true }) });
    expect(await client.get('/version')).toEqual({ major: '1' });
  });

  it('ends open requests on close', async () => {
    const client = await clientOf(() => undefined);
    const waiting = failureOf(client.get('/never'));
    client.close();
    expect((await waiting).code).toBe('KUBE_UNREACHABLE');
  });

  it('goes on when the server drops idle connections without a word', async () => {
    let answered = 0;
    const client = await clientOf((_req, res) => {
      answered++;
      res.end('{}');
      res.on('finish', () => res.socket?.destroySoon());
    });
    for (let turn = 0; turn < 20; turn++) {
      // The request may meet the connection just as it goes: that is told, and the next one has a connection of its own.
      await client.get('/').catch((error: unknown) => expect(errorCode(error)).toBe('KUBE_UNREACHABLE'));
    }
    expect(answered).toBeGreaterThanOrEqual(10);
  });

  it('gives up an answer that comes byte by byte and never to its end', async () => {
    const clock = createManualClock();
    const slow: Scene = (_req, res) => {
      const drip = setInterval(() => {
        clock.advance(20_000);
        res.write(' ');
      }, 5);
      res.on('close', () => clearInterval(drip));
    };
    const server = await startScriptedServer(slow);
    const client = createKubeClient({ server: server.endpoint }, clock);
    opened.push(client, server);
    const failure = await failureOf(client.get('/api/v1/pods'));
    expect(failure.code).toBe('KUBE_UNREACHABLE');
    expect(failure.message).toContain('does not come to its end');
  });

  it("keeps the time of a throttle's header, and of its body where it has one", async () => {
    const client = await clientOf((_req, res, url) => {
      res.setHeader('retry-after', '3');
      if (url.pathname === '/plain') say(res, 429, 'Too many requests');
      else say(res, 429, JSON.stringify({ code: 429, details: { retryAfterSeconds: 9 } }));
    });
    await expect(client.get('/plain')).rejects.toMatchObject({ status: 429, retryAfterSeconds: 3 });
    await expect(client.get('/json')).rejects.toMatchObject({ status: 429, retryAfterSeconds: 9 });
  });
});
