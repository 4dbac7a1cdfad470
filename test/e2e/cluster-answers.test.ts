/** Corefiles as clusters have them, from an API server over HTTP to answers over UDP, in one process. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { RCODE } from '../../src/dns/codes.ts';
import { decodeMessage } from '../../src/dns/decode-message.ts';
import { encodeMessage } from '../../src/dns/encode-message.ts';
import type { Message } from '../../src/dns/message.ts';
import { recordAddress } from '../../src/dns/rdata/address.ts';
import { recordTarget } from '../../src/dns/rdata/target.ts';
import { startScriptedServer } from '../../src/kube/testing/scripted-server.ts';
import { type ApiServer, createApiServer } from '../../src/lab/api/http-server.ts';
import { ask } from '../../src/plugins/fake-query.ts';
import { loadClusterSource } from '../../src/serve/cluster-source.ts';
import { DnsServer } from '../../src/serve/dns-server.ts';
import { corefile, type FakeEnvironment, fakeEnvironment } from '../../src/serve/fake-environment.ts';
import { systemClock } from '../../src/telemetry/clock.ts';

/** The promise of the README is a second: so many looks with a pause before each. They take longer on a busy machine. */
const LOOKS = 50;
const PAUSE_MS = 20;
const PATIENTLY = { timeout: 20_000 };

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

interface Api extends ApiServer {
  readonly port: number;
  /** Takes listener and connections away, as a lost server does; the objects stay. */
  leave(): Promise<void>;
}

async function startApi(): Promise<Api> {
  const api = createApiServer({ clock: systemClock });
  const server = createServer(api.handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  let left: Promise<void> | undefined;
  const leave = (): Promise<void> => {
    left ??= new Promise((resolve) => {
      server.close(() => resolve());
      api.close();
      server.closeAllConnections();
    });
    return left;
  };
  opened.push(leave);
  for (const name of ['default', 'kube-system', 'shop']) {
    api.store.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  return { ...api, port: (server.address() as AddressInfo).port, leave };
}

interface Running {
  readonly environment: FakeEnvironment;
  readonly dig: (qname: string, qtype?: string) => Promise<Message>;
}

/** `lines` with `API` for the API server's address. */
async function serve(api: Pick<Api, 'port'>, lines: string): Promise<Running> {
  const fake = fakeEnvironment();
  const environment = {
    ...fake,
    loadCluster: () => loadClusterSource({ clock: systemClock, random: Math.random, metrics: fake.metrics }),
  };
  const server = new DnsServer(environment);
  opened.push(async () => {
    await server.shutDownPlugins();
    await server.closeListeners();
  });
  const text = lines.replaceAll('API', `http://127.0.0.1:${api.port}`);
  await server.apply(corefile(`.:0 {\n bind 127.0.0.1\n${text}\n}`));
  const port = server.addresses[0]?.port ?? 0;
  return { environment: fake, dig: (qname, qtype) => dig(port, qname, qtype) };
}

async function expectSoon(look: () => Promise<unknown>, wanted: unknown): Promise<void> {
  for (let looks = 1; looks < LOOKS && !isDeepStrictEqual(await look(), wanted); looks++)
    await sleep(PAUSE_MS);
  expect(await look()).toEqual(wanted);
}

function dig(port: number, qname: string, qtype = 'A'): Promise<Message> {
  const socket = createSocket('udp4');
  const { promise, resolve, reject } = Promise.withResolvers<Message>();
  socket.on('error', reject);
  socket.on('message', (bytes) => {
    const decoded = decodeMessage(bytes);
    if (decoded.ok) resolve(decoded.value);
    else reject(new Error(decoded.code));
  });
  socket.send(encodeMessage(ask(qname, qtype).message), port, '127.0.0.1');
  return promise.finally(() => socket.close());
}

/** Rcode and what the answers lead to. */
function said({ rcode, answers }: Message): unknown {
  return [rcode, ...answers.map((one) => recordAddress(one) ?? recordTarget(one)).sort()];
}

function service(name: string, clusterIP: string, spec: object = {}): Parameters<Api['store']['apply']>[0] {
  const ports = [{ name: 'http', port: 80, protocol: 'TCP' }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'shop' },
    spec: { clusterIP, clusterIPs: [clusterIP], ports, ...spec },
  };
}

function slice(name: string, addresses: readonly string[], metadata: object = {}) {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-1`,
      namespace: 'shop',
      labels: { 'kubernetes.io/service-name': name },
      ...metadata,
    },
    addressType: 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address] })),
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
  };
}

const STOCK = ` errors
 kubernetes cluster.local in-addr.arpa ip6.arpa {
  endpoint API
  pods insecure
  fallthrough in-addr.arpa ip6.arpa
  ttl 30
 }
 loop
 loadbalance`;

describe('the stock Corefile over a real watch', () => {
  it('answers from the first lists on, and follows every change within a second', async () => {
    const api = await startApi();
    api.store.apply(service('web', '10.96.0.1'));
    const { dig } = await serve(api, STOCK);
    const follows = (qname: string, qtype: string, answer: unknown) =>
      expectSoon(async () => said(await dig(qname, qtype)), answer);

    expect(said(await dig('web.shop.svc.cluster.local.'))).toEqual([RCODE.NOERROR, '10.96.0.1']);
    expect(said(await dig('db.shop.svc.cluster.local.'))).toEqual([RCODE.NXDOMAIN]);
    api.store.apply(service('db', 'None', { clusterIPs: ['None'] }));
    api.store.apply(slice('db', ['10.1.0.1', '10.1.0.2']));
    await follows('db.shop.svc.cluster.local.', 'A', [RCODE.NOERROR, '10.1.0.1', '10.1.0.2']);
    await follows('2.0.1.10.in-addr.arpa.', 'PTR', [RCODE.NOERROR, '10-1-0-2.db.shop.svc.cluster.local.']);
    api.store.apply(slice('db', ['10.1.0.3']));
    await follows('db.shop.svc.cluster.local.', 'A', [RCODE.NOERROR, '10.1.0.3']);
    api.store.delete({ kind: 'Service', namespace: 'shop', name: 'web' });
    await follows('web.shop.svc.cluster.local.', 'A', [RCODE.NXDOMAIN]);
    api.store.delete({ kind: 'Namespace', name: 'shop' });
    await follows('shop.svc.cluster.local.', 'A', [RCODE.NXDOMAIN]);
  });

  it('keeps answering what it knows when the API server is gone', async () => {
    const api = await startApi();
    api.store.apply(service('web', '10.96.0.1'));
    const { dig, environment } = await serve(api, STOCK);
    await api.leave();
    await expect
      .poll(() => environment.lines.join('\n'), PATIENTLY)
      .toContain('[WARNING] plugin/kubernetes: watch of ');
    expect(said(await dig('web.shop.svc.cluster.local.'))).toEqual([RCODE.NOERROR, '10.96.0.1']);
    expect(said(await dig('nothing.shop.svc.cluster.local.'))).toEqual([RCODE.NXDOMAIN]);
  });

  it('does not deny anything before it has heard from the API server', async () => {
    const api = await startApi();
    await api.leave();
    const { dig } = await serve(api, STOCK.replace('ttl 30', 'startup_timeout 0'));
    expect(said(await dig('web.shop.svc.cluster.local.'))).toEqual([RCODE.SERVFAIL]);
  });

  it('counts what it asks the API server, and how late endpoints are seen', async () => {
    const api = await startApi();
    api.store.apply(service('db', 'None', { clusterIPs: ['None'] }));
    const { dig, environment } = await serve(api, STOCK);
    const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': new Date().toISOString() };
    api.store.apply(slice('db', ['10.1.0.1'], { annotations }));
    await expect
      .poll(async () => said(await dig('db.shop.svc.cluster.local.')), PATIENTLY)
      .toEqual([0, '10.1.0.1']);
    const host = `127.0.0.1:${api.port}`;
    const requests = `coredns_kubernetes_rest_client_requests_total{code="200",host="${host}",method="GET"} [6-9]`;
    // The watches begin after the lists, each for itself.
    await expect.poll(() => environment.metrics.text(), PATIENTLY).toMatch(new RegExp(requests));
    const text = await environment.metrics.text();
    expect(text).toContain(
      `coredns_kubernetes_rest_client_request_duration_seconds_count{host="${host}",verb="GET"}`,
    );
    expect(text).toContain(
      `coredns_kubernetes_rest_client_rate_limiter_duration_seconds_count{host="${host}",verb="GET"}`,
    );
    expect(text).toContain(
      'coredns_kubernetes_dns_programming_duration_seconds_count{service_kind="headless_with_selector"} 1',
    );
  });
});

describe('a headless service of five thousand endpoints', () => {
  it('is answered in part over UDP, which says so', async () => {
    const api = await startApi();
    api.store.apply(service('big', 'None', { clusterIPs: ['None'] }));
    for (let part = 0; part < 50; part++) {
      const addresses = Array.from({ length: 100 }, (_, i) => `10.2.${part}.${i}`);
      api.store.apply({
        ...slice('big', addresses),
        metadata: { ...slice('big', []).metadata, name: `big-${part}` },
      });
    }
    const { dig } = await serve(api, STOCK);
    for (const qtype of ['A', 'SRV']) {
      const message = await dig('big.shop.svc.cluster.local.', qtype);
      expect(message.rcode).toBe(RCODE.NOERROR);
      expect(message.flags.truncated).toBe(true);
      expect(message.answers.length).toBeGreaterThan(0);
      expect(encodeMessage(message, { compress: true }).length).toBeLessThanOrEqual(512);
    }
    expect(said(await dig('10-2-49-99.big.shop.svc.cluster.local.'))).toEqual([0, '10.2.49.99']);
    expect((await dig('big.shop.svc.cluster.local.', 'AAAA')).answers).toEqual([]);
  });
});

describe('an API server that tells nonsense', () => {
  it('does not keep what is sound from being answered', async () => {
    const sound = service('web', '10.96.0.1');
    const broken: readonly unknown[] = [
      null,
      7,
      {},
      { metadata: null },
      { metadata: { name: 5 } },
      { metadata: { name: 'a', namespace: 'shop' } },
      { metadata: { name: 'b', namespace: 'shop' }, spec: { type: 'Odd' } },
      { metadata: { name: 'c', namespace: 'shop' }, spec: { ports: 5, clusterIPs: 'x', externalIPs: {} } },
      {
        metadata: { name: 'd', namespace: 'shop' },
        spec: { clusterIP: 'None', ports: [null, {}, { port: -1 }] },
      },
      { metadata: { name: 'e'.repeat(300), namespace: 'shop' }, spec: { clusterIP: '10.96.0.9' } },
      { metadata: { name: 'f..', namespace: 'shop' }, spec: { type: 'ExternalName', externalName: '..' } },
      {
        metadata: { name: 'g', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'd' } },
        addressType: 'IPv4',
        endpoints: [
          null,
          {},
          { addresses: ['x', null] },
          { addresses: ['10.1.0.1'], hostname: 'H'.repeat(300) },
        ],
      },
      {
        metadata: {
          name: 'h',
          namespace: 'shop',
          labels: { 'kubernetes.io/service-name': 'd' },
          annotations: 5,
        },
        addressType: 'IPv4',
        endpoints: 'none',
        ports: {},
      },
    ];
    const api = await startScriptedServer((_req, res, url) => {
      if (url.searchParams.has('watch')) {
        for (const object of broken) res.write(`${JSON.stringify({ type: 'MODIFIED', object })}\n`);
        const event = { type: 'ADDED', object: { ...sound, metadata: { name: 'late', namespace: 'shop' } } };
        res.write(`${JSON.stringify(url.pathname.endsWith('/services') ? event : {})}\n`);
        return;
      }
      const shop = { metadata: { name: 'shop' } };
      const good = url.pathname.endsWith('/namespaces') ? shop : sound;
      res.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items: [...broken, good] }));
    });
    opened.push(api.close);
    const { dig } = await serve({ port: Number(new URL(api.endpoint).port) }, STOCK);
    expect(said(await dig('web.shop.svc.cluster.local.'))).toEqual([0, '10.96.0.1']);
    await expect
      .poll(async () => said(await dig('late.shop.svc.cluster.local.')), PATIENTLY)
      .toEqual([0, '10.96.0.1']);
    for (const name of ['a', 'b', 'c', 'd', 'g', 'h']) {
      for (const qtype of ['A', 'SRV', 'PTR', 'TXT', 'NS']) {
        const message = await dig(`${name}.shop.svc.cluster.local.`, qtype);
        expect([RCODE.NOERROR, RCODE.NXDOMAIN]).toContain(message.rcode);
      }
    }
  });
});

describe('answers through a cache', () => {
  it('follow the cluster within a second, whatever their TTL', async () => {
    const api = await startApi();
    api.store.apply(service('web', '10.96.0.1'));
    api.store.apply(
      service('alias', '', { type: 'ExternalName', externalName: 'web.shop.svc.cluster.local' }),
    );
    // Nobody stands behind to fall through to.
    const { dig } = await serve(api, `${STOCK.replace(/fallthrough.*/, '')}\n cache 30`);
    const names = ['web.shop.svc.cluster.local.', 'alias.shop.svc.cluster.local.', '1.0.96.10.in-addr.arpa.'];
    const all = async () => {
      const [web, alias] = await Promise.all(names.slice(0, 2).map((one) => dig(one)));
      const pointer = await dig(names[2] ?? '', 'PTR');
      return [web, alias, pointer].map((one) => (one === undefined ? undefined : said(one)));
    };
    const alias = 'web.shop.svc.cluster.local.';
    expect(await all()).toEqual([
      [0, '10.96.0.1'],
      [0, '10.96.0.1', alias],
      [0, alias],
    ]);
    expect(said(await dig('new.shop.svc.cluster.local.'))).toEqual([RCODE.NXDOMAIN]);

    api.store.delete({ kind: 'Service', namespace: 'shop', name: 'web' });
    api.store.apply(service('web', '10.96.0.2'));
    api.store.apply(service('new', '10.96.0.3'));
    await expectSoon(all, [[0, '10.96.0.2'], [0, '10.96.0.2', alias], [RCODE.NXDOMAIN]]);
    await expectSoon(
      async () => said(await dig('new.shop.svc.cluster.local.')),
      [RCODE.NOERROR, '10.96.0.3'],
    );
  });
});

describe('metadata of kubernetes', () => {
  it('stands in the query log of a block that asks for it', async () => {
    const api = await startApi();
    api.store.apply(service('web', '10.96.0.1'));
    const { dig, environment } = await serve(
      api,
      `${STOCK}\n metadata\n log . "asked for {/kubernetes/service} in {/kubernetes/namespace}"`,
    );
    await dig('web.shop.svc.cluster.local.');
    expect(environment.lines).toContain('[INFO] asked for web in shop');
  });
});

describe('k8s_external and autopath beside kubernetes', () => {
  it('answer for services outside the cluster, and walk the search path of a pod', async () => {
    const api = await startApi();
    api.store.apply(service('web', '10.96.0.1', { externalIPs: ['192.0.2.1'] }));
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'me', namespace: 'default' } };
    api.store.apply({ ...pod, spec: { containers: [{ name: 'c', image: 'c' }] } });
    api.store.replaceStatus(
      { kind: 'Pod', namespace: 'default', name: 'me' },
      { phase: 'Running', podIP: '127.0.0.1', podIPs: [{ ip: '127.0.0.1' }] },
    );
    const { dig, environment } = await serve(
      api,
      ' autopath @kubernetes\n cache 30\n k8s_external example.org\n kubernetes cluster.local {\n  endpoint API\n  pods verified\n }',
    );
    expect(said(await dig('web.shop.example.org.'))).toEqual([0, '192.0.2.1']);
    expect(said(await dig('web.shop.default.svc.cluster.local.'))).toEqual([
      0,
      '10.96.0.1',
      'web.shop.svc.cluster.local.',
    ]);
    api.store.apply(service('web', '10.96.0.1', { externalIPs: ['192.0.2.2'] }));
    await expectSoon(async () => said(await dig('web.shop.example.org.')), [0, '192.0.2.2']);
    expect(await environment.metrics.text()).toContain(
      'coredns_autopath_success_total{server="dns://127.0.0.1:0"} 1',
    );
  });
});
