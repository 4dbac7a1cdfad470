import { Buffer } from 'node:buffer';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createManualClock } from '../../kube/testing/manual-clock.ts';
import { until } from '../../kube/testing/scripted-server.ts';
import { type ApiServerSpec, createApiServer } from './http-server.ts';

// Real sockets on a busy machine: the waits inside are bounded by looks, not by this.
vi.setConfig({ testTimeout: 30_000 });

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly json: Record<string, unknown>;
}

interface Options {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

async function setUp(spec: Partial<ApiServerSpec> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'zerohop-api-'));
  const socketPath = join(directory, 'api.sock');
  const clock = createManualClock();
  const api = createApiServer({ clock, ...spec });
  const server: Server = createServer(api.handler);
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  opened.push(() => {
    api.close();
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true });
  });

  /** Collects lines as they come; `done` once the answer has ended. */
  const watch = (path: string) => {
    const state = { status: 0, text: '', done: false };
    const req = request({ socketPath, path }, (res) => {
      state.status = res.statusCode ?? 0;
      res.on('data', (chunk) => {
        state.text += String(chunk);
      });
      res.on('end', () => {
        state.done = true;
      });
    });
    req.on('error', () => {
      state.done = true;
    });
    req.end();
    return state;
  };
  const call = (path: string, { method = 'GET', headers = {}, body }: Options = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      // Node frames the body of a DELETE only when told its length.
      const framing = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
      const req = request(
        { socketPath, path, method, headers: { ...framing, 'content-type': 'application/json', ...headers } },
        (res) => {
          let text = '';
          res.on('data', (chunk) => {
            text += String(chunk);
          });
          res.on('end', () => resolve({ status: res.statusCode ?? 0, body: text, json: parsed(text) }));
        },
      );
      req.on('error', reject);
      req.end(body);
    });
  return { api, clock, call, watch };
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text);
  } catch {
    // Not every answer is JSON; such tests look at the text.
    return {};
  }
}

const POD = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec: { containers: [{ name: 'c' }] } };
const PODS = '/api/v1/namespaces/default/pods';

describe('createApiServer', () => {
  const refusals: readonly {
    name: string;
    path: string;
    options?: Options;
    status: number;
    reason: string;
  }[] = [
    { name: 'an unknown path', path: '/nope', status: 404, reason: 'NotFound' },
    { name: 'an unknown kind', path: '/api/v1/secrets', status: 404, reason: 'NotFound' },
    { name: 'an object that is not there', path: `${PODS}/nope`, status: 404, reason: 'NotFound' },
    { name: 'a stray percent sign', path: '/api/v1/namespaces/%zz/pods', status: 404, reason: 'NotFound' },
    {
      name: 'a body that is no JSON',
      path: PODS,
      options: { method: 'POST', body: '{' },
      status: 400,
      reason: 'BadRequest',
    },
    {
      name: 'an empty body',
      path: PODS,
      options: { method: 'POST', body: '' },
      status: 422,
      reason: 'Invalid',
    },
    {
      name: 'a body of another kind',
      path: PODS,
      options: { method: 'POST', body: '{"apiVersion":"v1","kind":"Service"}' },
      status: 400,
      reason: 'BadRequest',
    },
    {
      name: 'a body of another namespace',
      path: PODS,
      options: { method: 'POST', body: '{"metadata":{"name":"x","namespace":"kube-system"}}' },
      status: 400,
      reason: 'BadRequest',
    },
    {
      name: 'a protobuf body',
      path: PODS,
      options: {
        method: 'POST',
        headers: { 'content-type': 'application/vnd.kubernetes.protobuf' },
        body: 'k8s',
      },
      status: 415,
      reason: 'UnsupportedMediaType',
    },
    {
      name: 'a JSON patch',
      path: `${PODS}/a`,
      options: { method: 'PATCH', headers: { 'content-type': 'application/json-patch+json' }, body: '[]' },
      status: 415,
      reason: 'UnsupportedMediaType',
    },
    {
      name: 'a field selector it cannot do',
      path: `${PODS}?fieldSelector=spec.secret%3Dx`,
      status: 400,
      reason: 'BadRequest',
    },
    { name: 'a broken label selector', path: `${PODS}?labelSelector=a+b`, status: 400, reason: 'BadRequest' },
    {
      name: 'a continue token of its own making',
      path: `${PODS}?continue=abc`,
      status: 400,
      reason: 'BadRequest',
    },
    {
      name: 'a watch from a version of before',
      path: `${PODS}?watch=true&resourceVersion=1`,
      status: 410,
      reason: 'Expired',
    },
    {
      name: 'a watch from a word',
      path: `${PODS}?watch=true&resourceVersion=x`,
      status: 400,
      reason: 'BadRequest',
    },
    {
      name: 'a streaming list',
      path: `${PODS}?watch=true&sendInitialEvents=true`,
      status: 422,
      reason: 'Invalid',
    },
    {
      name: 'a change of the definitions',
      path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/x',
      options: { method: 'DELETE' },
      status: 405,
      reason: 'MethodNotAllowed',
    },
  ];
  it.each(refusals)('refuses $name as a Status', async ({ path, options, status, reason }) => {
    const { call } = await setUp();
    const answer = await call(path, options);
    expect(answer.json).toMatchObject({ kind: 'Status', status: 'Failure', code: status, reason });
    expect(answer.status).toBe(status);
  });

  it('refuses a body beyond three megabytes', async () => {
    const { call } = await setUp();
    const answer = await call(PODS, { method: 'POST', body: 'x'.repeat(4 * 1024 * 1024) });
    expect(answer.json).toMatchObject({ code: 413, reason: 'RequestEntityTooLarge' });
  });

  it('asks for one of its tokens when it has any', async () => {
    const { call } = await setUp({ tokens: new Set(['good']) });
    const as = (authorization: string) => call('/api/v1/pods', { headers: { authorization } });
    expect((await as('Bearer good')).status).toBe(200);
    for (const bad of ['', 'Bearer', 'Bearer bad', 'Basic good']) expect((await as(bad)).status).toBe(401);
    expect((await call('/readyz')).body).toBe('ok');
  });

  it('creates, replaces, patches status and deletes', async () => {
    const { call, api } = await setUp();
    const created = await call(PODS, { method: 'POST', body: JSON.stringify(POD) });
    expect(created.status).toBe(201);
    const replaced = await call(`${PODS}/a`, {
      method: 'PUT',
      body: JSON.stringify({ ...POD, status: { phase: 'Failed' } }),
    });
    expect(replaced.json).toMatchObject({ status: { phase: 'Pending' } });
    const headers = { 'content-type': 'application/merge-patch+json' };
    await call(`${PODS}/a/status`, {
      method: 'PATCH',
      headers,
      body: '{"status":{"phase":"Running"},"spec":{"x":1}}',
    });
    expect(api.store.list('Pod')[0]).toMatchObject({
      status: { phase: 'Running' },
      spec: { containers: [{ name: 'c' }] },
    });
    const deleted = await call(`${PODS}/a`, { method: 'DELETE' });
    expect(deleted.json).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'a', kind: 'pods' },
    });
  });

  it('lets a pod go in its own time when there is a kubelet to wait for', async () => {
    const { call, api } = await setUp({ podGraceSeconds: 30 });
    api.store.apply(POD);
    const first = await call(`${PODS}/a`, { method: 'DELETE' });
    expect(first.json).toMatchObject({ kind: 'Pod', metadata: { deletionGracePeriodSeconds: 30 } });
    expect(api.store.list('Pod')).toHaveLength(1);
    await call(`${PODS}/a`, { method: 'DELETE', body: '{"gracePeriodSeconds":0}' });
    expect(api.store.list('Pod')).toHaveLength(0);
  });

  it('selects by labels and fields', async () => {
    const { call, api } = await setUp();
    const put = (name: string, labels: object, nodeName: string) =>
      api.store.apply({
        ...POD,
        metadata: { name, labels },
        spec: { nodeName, containers: [{ name: 'c' }] },
      });
    put('a', { app: 'x', tier: '1' }, 'n1');
    put('b', { app: 'y' }, 'n1');
    put('c', {}, 'n2');
    const names = async (query: string) => {
      const { json } = await call(`${PODS}?${query}`);
      return (json.items as { metadata: { name: string } }[]).map((item) => item.metadata.name).join('');
    };
    const select = (text: string) => names(`labelSelector=${encodeURIComponent(text)}`);
    expect(await select('app=x')).toBe('a');
    expect(await select('app!=x')).toBe('bc');
    expect(await select('app in (x, y),tier')).toBe('a');
    expect(await select('app notin (x)')).toBe('bc');
    expect(await select('!tier')).toBe('bc');
    const field = (text: string) => names(`fieldSelector=${encodeURIComponent(text)}`);
    expect(await field('spec.nodeName=n1')).toBe('ab');
    expect(await field('spec.nodeName!=n1,status.phase==Pending')).toBe('c');
    expect(await field('metadata.name=b')).toBe('b');
  });

  it('tells a watch what exists, then what happens, and ends it in time with a bookmark', async () => {
    const { api, clock, watch } = await setUp();
    api.store.apply(POD);
    const seen = watch(`${PODS}?watch=true&allowWatchBookmarks=true&timeoutSeconds=90`);
    const types = () =>
      seen.text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line).type);
    await until('what exists', () => types().length === 1);
    api.store.patchStatus({ kind: 'Pod', namespace: 'default', name: 'a' }, { phase: 'Running' });
    api.store.delete({ kind: 'Pod', namespace: 'default', name: 'a' });
    clock.advance(60_000);
    clock.advance(30_000);
    await until('the end', () => seen.done);
    expect(types()).toEqual(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'BOOKMARK']);
    expect(clock.pending()).toBe(0);
  });

  it('cuts off a watch whose client does not read', async () => {
    const { api, clock, watch } = await setUp();
    const idle = watch(`${PODS}?watch=true`);
    await until('the watch', () => idle.status === 200);
    const filler = 'x'.repeat(512 * 1024);
    for (let i = 0; i < 60; i++)
      api.store.apply({ ...POD, metadata: { name: 'a', annotations: { filler, turn: String(i) } } });
    await until('the cut', () => clock.pending() === 0);
  });

  it('prints tables for kubectl and plain lists for everybody else', async () => {
    const { api, call } = await setUp();
    api.store.apply(POD);
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
    const table = await call(PODS, { headers: { accept } });
    expect(table.json).toMatchObject({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      rows: [{ object: { kind: 'PartialObjectMetadata' } }],
    });
    const full = await call(`${PODS}?includeObject=Object`, { headers: { accept } });
    expect(full.json).toMatchObject({ rows: [{ object: { kind: 'Pod' } }] });
    expect((await call(PODS, { headers: { accept: 'application/json' } })).json.kind).toBe('PodList');
  });
});
