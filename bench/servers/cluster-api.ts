/**
 * An API server with a cluster of the size in its arguments (`SOCKET SERVICES ENDPOINTS POLICIES`), on a unix socket: lists in
 * pages, watches that rest, and `GET /bench/pod` and `/bench/slice`, which change the readiness of one pod of the first node
 * and of one endpoint elsewhere. Pods of one node are given apart when they are asked for so.
 */
import { createServer, type ServerResponse } from 'node:http';
import { collectionsOf, pod, slice } from '../generated-cluster.ts';

const [socket, ...numbers] = process.argv.slice(2);
const [services = 0, endpoints = 0, policies = 0] = numbers.map(Number);
const PODS = '/api/v1/pods';
const SLICES = '/apis/discovery.k8s.io/v1/endpointslices';
/** Of another service than any that is redirected. */
const FAR_SLICE = services - 1;

const collections = collectionsOf({ services, endpoints, policies });
const watchers = new Map<string, Set<ServerResponse>>();
let version = 1;
const ready = { pod: true, slice: true };

function tell(path: string, object: object): void {
  const { metadata } = object as { metadata: object };
  const event = {
    type: 'MODIFIED',
    object: { ...object, metadata: { ...metadata, resourceVersion: `${++version}` } },
  };
  for (const watcher of watchers.get(path) ?? []) watcher.write(`${JSON.stringify(event)}\n`);
}

function change(what: string): void {
  if (what === 'pod') {
    ready.pod = !ready.pod;
    tell(PODS, pod(0, services, ready.pod));
  } else if (what === 'slice') {
    ready.slice = !ready.slice;
    tell(SLICES, slice(FAR_SLICE, services, endpoints, ready.slice));
  }
}

function watch(path: string, response: ServerResponse): void {
  response.flushHeaders();
  const list = watchers.get(path) ?? new Set();
  watchers.set(path, list.add(response));
  response.on('close', () => list.delete(response));
}

function list(path: string, search: URLSearchParams): object {
  const { length, lengthOnNode, object } = collections[path] ?? { length: 0, object: () => ({}) };
  const total = search.has('fieldSelector') ? (lengthOnNode ?? length) : length;
  const start = Number(search.get('continue') ?? 0);
  const end = Math.min(total, start + Number(search.get('limit') ?? total));
  const more = end < total ? { continue: String(end), remainingItemCount: total - end } : {};
  const items = Array.from({ length: end - start }, (_, i) => object(start + i));
  return { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '1', ...more }, items };
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
  if (pathname.startsWith('/bench/')) {
    change(pathname.slice('/bench/'.length));
    return response.end('ok');
  }
  response.setHeader('content-type', 'application/json');
  if (collections[pathname] === undefined || request.method !== 'GET') {
    return response.writeHead(404).end(JSON.stringify({ kind: 'Status', code: 404, reason: 'NotFound' }));
  }
  if (searchParams.has('watch')) return watch(pathname, response);
  return response.end(JSON.stringify(list(pathname, searchParams)));
});
server.listen(socket);
