/**
 * The lab's API server over HTTP: enough of Kubernetes for kubectl and for list/watch clients. It owns no listener; the
 * handler serves any number of them, plain, TLS or unix socket. A fixture, not a product: no roles, no admission, no
 * persistence.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../telemetry/clock.ts';
import type { ApiObject } from './api-object.ts';
import { ApiRefusal, badRequest, formatStatus, type RefusalSpec } from './api-refusal.ts';
import { createObjectStore, type ObjectStore } from './object-store.ts';
import { discoveryDocument } from './requests/discovery.ts';
import { listPage, matcherOf } from './requests/list-response.ts';
import { answerObjectRequest } from './requests/object-requests.ts';
import { openapiDocument } from './requests/openapi.ts';
import { readJsonBody } from './requests/request-body.ts';
import { parseResourcePath, type ResourcePath } from './requests/request-path.ts';
import { serveWatch } from './requests/watch-response.ts';
import { apiVersionOf } from './resources.ts';
import { acceptedTable, formatTable, type TableSpec } from './table/table.ts';

export interface ApiServerSpec {
  readonly clock: Clock;
  /** Accepted bearer tokens; absent or empty lets everybody in. */
  readonly tokens?: ReadonlySet<string>;
  /**
   * How long a deleted pod stays, with a deletionTimestamp, for its kubelet to stop it and `store.delete` it.
   * Absent or 0: it goes at once.
   */
  readonly podGraceSeconds?: number;
  /**
   * The definition of policies is upstream's, whose schema knows no conditions: they are dropped without a word. Absent:
   * ours, which keeps what is in a status.
   */
  readonly prunesPolicyStatus?: boolean;
}

export interface ApiServer {
  readonly store: ObjectStore;
  /** For `http.createServer` and `https.createServer`. */
  readonly handler: (req: IncomingMessage, res: ServerResponse) => void;
  /** Ends all watches; listeners and connections are the caller's. */
  close(): void;
}

/** One request with everything that answering it takes. */
interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly url: URL;
  readonly server: ServerState;
}

interface ServerState {
  readonly spec: ApiServerSpec;
  readonly store: ObjectStore;
  readonly watches: Set<() => void>;
}

export function createApiServer(spec: ApiServerSpec): ApiServer {
  const server: ServerState = { spec, store: createObjectStore(spec.clock, spec), watches: new Set() };
  return {
    store: server.store,
    handler(req, res) {
      const url = URL.parse(req.url ?? '/', 'http://lab');
      if (url === null) {
        sendRefusal(res, badRequest('the request URL is malformed'));
        return;
      }
      answer({ req, res, url, server }).catch((error: unknown) => sendRefusal(res, error));
    },
    close() {
      for (const end of [...server.watches]) end();
    },
  };
}

async function answer(exchange: Exchange): Promise<void> {
  const { req, res, url, server } = exchange;
  const { pathname } = url;
  if (['/healthz', '/livez', '/readyz'].includes(pathname)) {
    res.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
    return;
  }
  requireToken(req, server.spec.tokens);
  const path = parseResourcePath(pathname);
  if (path !== undefined) return await answerResource(exchange, path);
  if (req.method !== 'GET') throw unknownPath();
  const openapi = openapiDocument(pathname, req.headers.accept ?? '');
  if (openapi !== undefined) {
    res.writeHead(200, { 'content-type': openapi.contentType }).end(openapi.body);
    return;
  }
  const document = discoveryDocument(pathname);
  if (document === undefined) throw unknownPath();
  sendJson(res, 200, document);
}

function requireToken(req: IncomingMessage, tokens: ReadonlySet<string> = new Set()): void {
  if (tokens.size === 0) return;
  const token = /^Bearer (\S+)$/.exec(req.headers.authorization ?? '')?.[1] ?? '';
  if (!tokens.has(token))
    throw new ApiRefusal({ status: 401, reason: 'Unauthorized', message: 'Unauthorized' });
}

async function answerResource(exchange: Exchange, path: ResourcePath): Promise<void> {
  const { req, res, url, server } = exchange;
  const query = url.searchParams;
  const method = req.method ?? 'GET';
  if (method === 'GET' && path.name === undefined) {
    if (isTrue(query.get('watch'))) startWatch(exchange, path);
    else sendList(exchange, path);
    return;
  }
  const contentType = (req.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  const body = method === 'GET' ? {} : await readJsonBody(req);
  const tools = { store: server.store, podGraceSeconds: server.spec.podGraceSeconds ?? 0 };
  const { status, object, gone } = answerObjectRequest({ path, method, contentType, query, body }, tools);
  if (gone === true) {
    sendJson(res, 200, deletedStatus(path, object));
    return;
  }
  const table = tableSpec(exchange, path);
  const { resourceVersion } = object.metadata;
  sendJson(res, status, table === undefined ? object : formatTable(table, [object], { resourceVersion }));
}

function sendList(exchange: Exchange, path: ResourcePath): void {
  const { res, url, server } = exchange;
  const page = listPage(server.store, path, url.searchParams);
  const table = tableSpec(exchange, path);
  if (table !== undefined) {
    sendJson(res, 200, formatTable(table, page.items, page.metadata));
    return;
  }
  const { kind } = path.resource;
  const apiVersion = apiVersionOf(path.resource);
  sendJson(res, 200, { kind: `${kind}List`, apiVersion, metadata: page.metadata, items: page.items });
}

function startWatch(exchange: Exchange, path: ResourcePath): void {
  const { res, url, server } = exchange;
  const query = url.searchParams;
  if (isTrue(query.get('sendInitialEvents')))
    throw new ApiRefusal({
      status: 422,
      reason: 'Invalid',
      message:
        'sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled',
    });
  const version = query.get('resourceVersion') ?? '';
  if (!/^\d*$/.test(version)) throw badRequest(`invalid resource version ${JSON.stringify(version)}`);
  const table = tableSpec(exchange, path);
  const format = (object: ApiObject): unknown => {
    const { resourceVersion } = object.metadata;
    return table === undefined ? object : formatTable(table, [object], { resourceVersion });
  };
  const seconds = Number(query.get('timeoutSeconds') ?? 0);
  const end = serveWatch(
    {
      resource: path.resource,
      matches: matcherOf(path, query),
      since: version === '' || version === '0' ? undefined : Number(version),
      bookmarks: isTrue(query.get('allowWatchBookmarks')),
      timeoutSeconds: seconds > 0 ? seconds : undefined,
      format,
    },
    { store: server.store, clock: server.spec.clock, res },
  );
  server.watches.add(end);
  res.on('close', () => server.watches.delete(end));
}

function tableSpec({ req, url, server }: Exchange, path: ResourcePath): TableSpec | undefined {
  const version = acceptedTable(req.headers.accept ?? '');
  if (version === undefined) return undefined;
  const asked = url.searchParams.get('includeObject');
  const include = asked === 'Object' || asked === 'None' ? asked : 'Metadata';
  return { kind: path.resource.kind, version, include, nowMs: server.spec.clock.nowMs() };
}

/** Query flags come as `1`, `true`, or bare. */
function isTrue(value: string | null): boolean {
  return value === '1' || value === 'true' || value === '';
}

function deletedStatus(path: ResourcePath, object: ApiObject): unknown {
  const { name, uid } = object.metadata;
  const { group, plural } = path.resource;
  const details = { name, ...(group === '' ? {} : { group }), kind: plural, uid };
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
}

function unknownPath(): ApiRefusal {
  return new ApiRefusal({
    status: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
    details: {},
  });
}

function sendRefusal(res: ServerResponse, error: unknown): void {
  if (res.headersSent || res.destroyed) {
    res.destroy();
    return;
  }
  const spec: RefusalSpec =
    error instanceof ApiRefusal
      ? error.spec
      : { status: 500, reason: 'InternalError', message: `Internal error occurred: ${String(error)}` };
  // What is left of a body we refused to read must not be taken for the next request.
  if (spec.status === 413) res.setHeader('connection', 'close');
  sendJson(res, spec.status, formatStatus(spec));
}

function sendJson(res: ServerResponse, status: number, value: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}
