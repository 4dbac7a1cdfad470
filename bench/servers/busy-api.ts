/**
 * An API server whose EndpointSlices never rest; a program, with its port on 127.0.0.1 as argument. It lists a small
 * cluster, and while it is told to (`GET /bench/on`, `/bench/off`) its watch delivers 2 MB of JSON every 50 ms: slices of
 * 100 endpoints of which one has another address each time, as when a rollout replaces pod by pod. `GET /bench/sent` says
 * how many bytes that was. Who reads too slowly gets less: nothing is kept for later.
 */
import { createServer, type ServerResponse } from 'node:http';

const EVERY_MS = 50;
const BYTES = 2_000_000;
const SERVICES = 64;
const ENDPOINTS = 100;
/** Sent in turn, so that each differs from what was there before. */
const VARIANTS = 4;
const SLICES = '/apis/discovery.k8s.io/v1/endpointslices';

function service(i: number): unknown {
  const metadata = { name: `svc-${i}`, namespace: 'default', uid: `service-${i}`, resourceVersion: '1' };
  return {
    metadata,
    spec: { clusterIP: `10.96.1.${i}`, type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP' }] },
  };
}

function slice(i: number, variant: number): object {
  const endpoints = Array.from({ length: ENDPOINTS }, (_, n) => ({
    addresses: [`10.${n === 0 ? 2 + variant : 1}.${i}.${n}`],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: `worker-${n}.example.com`,
    targetRef: { kind: 'Pod', namespace: 'default', name: `svc-${i}-pod-${n}`, uid: `pod-${i}-${n}` },
    zone: 'zone-a',
  }));
  const labels = { 'kubernetes.io/service-name': `svc-${i}` };
  const metadata = {
    name: `svc-${i}-x`,
    namespace: 'default',
    uid: `slice-${i}`,
    resourceVersion: '1',
    labels,
  };
  return {
    kind: 'EndpointSlice',
    apiVersion: 'discovery.k8s.io/v1',
    metadata,
    addressType: 'IPv4',
    endpoints,
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
  };
}

/** Events of as many slices as make up the size. */
function burst(variant: number): Buffer {
  let text = '';
  for (let i = 0; text.length < BYTES; i++) {
    text += `${JSON.stringify({ type: 'MODIFIED', object: slice(i % SERVICES, (variant + Math.floor(i / SERVICES)) % VARIANTS) })}\n`;
  }
  return Buffer.from(text);
}

const numbers = Array.from({ length: SERVICES }, (_, i) => i);
const lists: Readonly<Record<string, readonly unknown[]>> = {
  '/api/v1/services': numbers.map(service),
  '/api/v1/namespaces': [{ metadata: { name: 'default', uid: 'default', resourceVersion: '1' } }],
  [SLICES]: numbers.map((i) => slice(i, 0)),
};
const bursts = Array.from({ length: VARIANTS }, (_, variant) => burst(variant));
const watchers = new Set<ServerResponse>();
let on = false;
let sent = 0;
let turn = 0;

setInterval(() => {
  const bytes = bursts[turn++ % VARIANTS];
  if (!on || bytes === undefined) return;
  for (const watcher of watchers) {
    if (watcher.writableNeedDrain) continue;
    watcher.write(bytes);
    sent += bytes.length;
  }
}, EVERY_MS);

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
  if (pathname === '/bench/on' || pathname === '/bench/off') on = pathname === '/bench/on';
  if (pathname.startsWith('/bench/')) return response.end(String(sent));
  response.setHeader('content-type', 'application/json');
  if (!searchParams.has('watch')) {
    const items = lists[pathname] ?? [];
    return response.end(
      JSON.stringify({ kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items }),
    );
  }
  response.flushHeaders();
  if (pathname !== SLICES) return undefined;
  watchers.add(response);
  return response.on('close', () => watchers.delete(response));
});
server.listen(Number(process.argv[2]), '127.0.0.1');
