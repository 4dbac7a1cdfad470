/** The server as a browser, a rebinding site and a slow reader meet it. */
import { get } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClusterSource } from './testing/fake-cluster-source.ts';
import { SAMPLE_FINDINGS, SAMPLE_PODS } from './testing/sample-pods.ts';
import { startUiServer, type UiServer } from './ui-server.ts';

const servers: UiServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve() {
  const source = new FakeClusterSource(SAMPLE_PODS, Date.now());
  source.findings = SAMPLE_FINDINGS;
  const server = await startUiServer({ source, port: 0 });
  servers.push(server);
  const url = new URL(server.url);
  return { source, url, key: `key=${url.hash.slice(1)}` };
}

interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function ask(url: URL, { path = '/', method = 'GET', headers = {} }: Asked = {}) {
  return new Promise<{ status: number; body: string; headers: NodeJS.Dict<string | string[]> }>(
    (resolve, reject) => {
      get({ host: url.hostname, port: url.port, path, method, headers }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text) => {
          body += text;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body, headers: response.headers }),
        );
      }).on('error', reject);
    },
  );
}

/** Data of the first events of each kind. */
function firstEvents(url: URL, path: string, kinds: readonly string[]): Promise<Map<string, unknown>> {
  return new Promise((resolve, reject) => {
    const request = get({ host: url.hostname, port: url.port, path }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (more) => {
        text += more;
        const found = [...text.matchAll(/^event: (\w+)\ndata: (.*)\n\n/gm)];
        const events = new Map(found.map(([, kind = '', data = '']) => [kind, JSON.parse(data)]));
        if (!kinds.every((kind) => events.has(kind))) return;
        request.destroy();
        resolve(events);
      });
    });
    request.on('error', reject);
  });
}

describe('startUiServer', () => {
  it('serves the page, its modules without types and the packages, and lets nothing else in', async () => {
    const { url } = await serve();
    const page = await ask(url);
    expect(page).toMatchObject({ status: 200 });
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    expect(page.body).not.toMatch(/https?:/);
    for (const [, path = ''] of page.body.matchAll(/(?:src|href)="([^"]+)"/g))
      expect(await ask(url, { path })).toMatchObject({ status: 200 });
    expect((await ask(url, { path: '/page/main.ts' })).body).not.toContain('import type');
    for (const path of [
      '/page/tsconfig.json',
      '/../package.json',
      '/page/%2e%2e/wire.ts',
      '//',
      '/nothing',
      '*',
    ])
      expect(await ask(url, { path })).toMatchObject({ status: 404 });
  });

  const REFUSED: readonly (readonly [name: string, status: number, asked: Asked])[] = [
    ['a name that was rebound to us', 421, { headers: { host: 'evil.example' } }],
    ['our name at another port', 421, { headers: { host: '127.0.0.1:1' } }],
    ['a page of another origin', 403, { path: '/events', headers: { origin: 'http://evil.example' } }],
    ['a page that hides its origin', 403, { path: '/events', headers: { origin: 'null' } }],
    ['a script of another site', 403, { path: '/doctor', headers: { 'sec-fetch-site': 'cross-site' } }],
    ['what would change something', 405, { method: 'POST', path: '/doctor' }],
  ];
  it.each(REFUSED)('refuses %s', async (_, status, asked) => {
    const { url } = await serve();
    expect(await ask(url, asked)).toMatchObject({ status });
  });

  it('tells of flows to nobody without the key that it printed', async () => {
    const { url, key } = await serve();
    expect(key.length).toBeGreaterThan(20);
    for (const path of ['/events', '/query?id=1', '/doctor', `/doctor?${key}x`, '/doctor?key='])
      expect(await ask(url, { path }), path).toMatchObject({ status: 401 });
    expect(await ask(url, { path: `/query?id=1&${key}` })).toMatchObject({ status: 200 });
    const other = await serve();
    expect(other.key).not.toBe(key);
  });

  it('goes on after requests that are none', async () => {
    const { url } = await serve();
    for (const bytes of ['GET / HTTP/9\r\n\r\n', '\0\0\0\0', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n\r\n`]) {
      await new Promise<void>((resolve) => {
        const socket = connect(Number(url.port), url.hostname, () => socket.end(bytes));
        socket.on('error', () => resolve()).on('close', () => resolve());
        socket.resume();
      });
    }
    expect(await ask(url)).toMatchObject({ status: 200 });
  });

  it('is never put on an address that others can reach', async () => {
    const source = new FakeClusterSource([], 0);
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.com'])
      await expect(startUiServer({ source, host, port: 0 })).rejects.toMatchObject({
        code: 'UI_NOT_LOOPBACK',
      });
  });

  it('says that its port is taken', async () => {
    const { url } = await serve();
    const source = new FakeClusterSource([], 0);
    await expect(startUiServer({ source, port: Number(url.port) })).rejects.toMatchObject({
      code: 'UI_LISTEN',
    });
  });

  it('tells rows that match the address of the stream alone', async () => {
    const { url, source, key } = await serve();
    source.advance(2000);
    await expect
      .poll(async () =>
        (await firstEvents(url, `/events?bypassed=1&${key}`, ['snapshot', 'rows'])).get('rows'),
      )
      .toMatchObject({ rows: expect.arrayContaining([expect.objectContaining({ outcome: 'bypassed' })]) });
    const events = await firstEvents(url, `/events?bypassed=1&${key}`, ['rows']);
    const { rows } = events.get('rows') as { rows: readonly { outcome: string; asker: string }[] };
    expect(rows.every(({ outcome, asker }) => outcome !== 'entered' && asker === 'pod')).toBe(true);
  });

  it('gives the report of the doctor to all who ask', async () => {
    const { url, key } = await serve();
    const reports = await Promise.all([1, 2, 3].map(() => ask(url, { path: `/doctor?${key}` })));
    for (const { body } of reports) expect(JSON.parse(body).findings).toEqual(SAMPLE_FINDINGS);
  });
});
