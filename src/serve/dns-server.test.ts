import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeMessage } from '../dns/decode-message.ts';
import { encodeMessage } from '../dns/encode-message.ts';
import type { Message } from '../dns/message.ts';
import { ask } from '../plugins/fake-query.ts';
import { DnsServer } from './dns-server.ts';
import { corefile, type FakeEnvironment, fakeEnvironment } from './fake-environment.ts';

const open: DnsServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.closeListeners();
});

async function start(text: string): Promise<{ server: DnsServer; environment: FakeEnvironment }> {
  const environment = fakeEnvironment();
  const server = new DnsServer(environment);
  open.push(server);
  await server.apply(corefile(text));
  return { server, environment };
}

/** Asks by UDP on the loopback. */
function dig(port: number, qname = 'example.org.'): Promise<Message> {
  const socket = createSocket('udp4');
  const { promise, resolve, reject } = Promise.withResolvers<Message>();
  socket.on('error', reject);
  socket.on('message', (bytes) => {
    const decoded = decodeMessage(bytes);
    if (decoded.ok) resolve(decoded.value);
    else reject(new Error(decoded.code));
  });
  socket.send(encodeMessage(ask(qname).message), port, '127.0.0.1');
  return promise.finally(() => socket.close());
}

function portOf(server: DnsServer): number {
  return server.addresses[0]?.port ?? 0;
}

const WHOAMI = '.:0 {\n bind 127.0.0.1\n whoami\n}';

describe('DnsServer', () => {
  it('answers by the block whose zone fits best, and refuses what nobody serves', async () => {
    const { server } = await start(
      'example.org:0 {\n bind 127.0.0.1\n whoami\n}\nempty.test:0 {\n bind 127.0.0.1\n}',
    );
    expect((await dig(portOf(server), 'a.example.org.')).rcode).toBe(0);
    expect((await dig(portOf(server), 'empty.test.')).rcode).toBe(5);
    expect((await dig(portOf(server), 'nobody.test.')).rcode).toBe(5);
  });

  it('fails a query that no plugin of the block takes on', async () => {
    const { server, environment } = await start('.:0 {\n bind 127.0.0.1\n errors\n}');
    expect((await dig(portOf(server))).rcode).toBe(2);
    expect(environment.lines).toEqual([
      '[ERROR] plugin/errors: 2 example.org. A: plugin/errors: no next plugin found',
    ]);
  });

  it('changes over on the same socket', async () => {
    const { server } = await start('example.org:0 {\n bind 127.0.0.1\n whoami\n}');
    const port = portOf(server);
    expect((await dig(port, 'example.net.')).rcode).toBe(5);
    await server.apply(corefile('example.net:0 {\n bind 127.0.0.1\n whoami\n}'));
    expect(portOf(server)).toBe(port);
    expect((await dig(port, 'example.net.')).rcode).toBe(0);
    expect((await dig(port, 'example.org.')).rcode).toBe(5);
  });

  it('loses no query while it changes over', async () => {
    const { server } = await start(WHOAMI);
    const port = portOf(server);
    const answers: Promise<Message>[] = [];
    for (let i = 0; i < 5; i++) {
      for (let j = 0; j < 20; j++) answers.push(dig(port));
      await server.apply(corefile(`${WHOAMI}\n# ${i}`));
    }
    expect((await Promise.all(answers)).filter(({ rcode }) => rcode !== 0)).toEqual([]);
  });

  it('leaves an address to the block that binds it, also when that comes later', async () => {
    const { server } = await start('wild.test:0 {\n whoami\n}');
    const port = portOf(server);
    const wildcard = `wild.test:${port} {\n whoami\n}\n`;
    await server.apply(corefile(`${wildcard}bound.test:${port} {\n bind 127.0.0.1\n whoami\n}`));
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    const asked = Array.from({ length: 20 }, () => dig(port, 'bound.test.'));
    expect((await Promise.all(asked)).filter(({ rcode }) => rcode !== 0)).toEqual([]);
  });

  it('keeps what is in force when the new configuration cannot be', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    const { server } = await start(WHOAMI);
    const bad = `.:0 {\n bind 127.0.0.1\n health 127.0.0.1:${port}\n}`;
    await expect(server.apply(corefile(bad))).rejects.toMatchObject({ code: 'SERVE_HTTP_LISTEN' });
    expect((await dig(portOf(server))).rcode).toBe(0);
    taken.close();
  });

  it('names the plugin whose line is wrong, and the place', async () => {
    await expect(start('.:0 {\n errors\n errors\n}')).rejects.toThrow(
      'plugin/errors: this plugin can only be used once per Server Block',
    );
    await expect(start('.:0 {\n health {\n  nosuch\n }\n}')).rejects.toThrow(
      `plugin/health: Corefile:3 - Error during parsing: unknown property 'nosuch'`,
    );
  });

  it('gives the queries of a zone to the first block whose view takes them, and counts them under its name', async () => {
    const { server, environment } = await start(
      `.:0 {
        bind 127.0.0.1
        prometheus 127.0.0.1:0
        view odd {
          expr name() == 'odd.test.'
        }
        acl {
          block
        }
        whoami
      }
      .:0 {
        bind 127.0.0.1
        prometheus 127.0.0.1:0
        whoami
      }`,
    );
    const answers = [await dig(portOf(server), 'odd.test.'), await dig(portOf(server), 'even.test.')];
    expect(answers.map(({ rcode }) => rcode)).toEqual([5, 0]);
    const text = await environment.metrics.text();
    const labels = (view: string) => `server="dns://127.0.0.1:0",type="A",view="${view}",zone="."} 1`;
    for (const view of ['odd', ''])
      expect(text).toContain(`coredns_dns_requests_total{family="1",proto="udp",${labels(view)}`);
    expect(text).toContain(
      'coredns_plugin_enabled{name="acl",server="dns://127.0.0.1:0",view="odd",zone="."} 1',
    );
  });

  it('shows debug lines while a configuration says debug', async () => {
    const { server, environment } = await start('.:0 {\n bind 127.0.0.1\n debug\n whoami\n}');
    expect(environment.isDebug()).toBe(true);
    await server.apply(corefile(WHOAMI));
    expect(environment.isDebug()).toBe(false);
  });

  it('starts relative paths of a block where its root says', async () => {
    await expect(
      start('.:0 {\n bind 127.0.0.1\n root /nosuch\n tls a.pem b.pem\n whoami\n}'),
    ).rejects.toThrow(
      'plugin/tls: Corefile:4 - Error during parsing: could not load TLS certificate: open a.pem',
    );
  });

  it('refuses what CoreDNS has and it has not, by name', async () => {
    await expect(start('.:0 {\n etcd\n}')).rejects.toMatchObject({
      code: 'SERVE_DIRECTIVE_UNBUILT',
      message: "Corefile:2 - Error during parsing: Directive 'etcd' is not built into this server",
    });
  });

  it('opens cluster watches only for those who ask, and closes them with the configuration', async () => {
    const cluster =
      '.:0 {\n bind 127.0.0.1\n kubernetes cluster.local {\n  endpoint http://127.0.0.1:1\n  startup_timeout 0\n }\n}';
    const { server, environment } = await start(cluster);
    expect(environment.openWatches()).toBe(1);
    await server.apply(corefile(WHOAMI));
    await expect.poll(() => environment.openWatches()).toBe(0);
  });

  it('keeps a watch over a change that needs the same, so that nothing known is lost', async () => {
    const cluster = (ttl: number) =>
      `.:0 {\n bind 127.0.0.1\n kubernetes cluster.local {\n  endpoint http://127.0.0.1:1\n  startup_timeout 0\n  ttl ${ttl}\n }\n}`;
    const { server, environment } = await start(cluster(5));
    for (const ttl of [10, 15]) {
      await server.apply(corefile(cluster(ttl)));
      expect(environment.openWatches()).toBe(1);
    }
    await server.apply(corefile(cluster(15).replace('startup', 'pods verified\n  startup')));
    await expect.poll(() => environment.openWatches()).toBe(1);
    await server.apply(corefile(WHOAMI));
    await expect.poll(() => environment.openWatches()).toBe(0);
  });

  it('serves probes and metrics over HTTP, and nothing else', async () => {
    const { server, environment } = await start(
      '.:0 {\n bind 127.0.0.1\n health 127.0.0.1:0\n prometheus 127.0.0.1:0\n whoami\n}',
    );
    await dig(portOf(server));
    const text = await environment.metrics.text();
    expect(text).toContain(
      'coredns_plugin_enabled{name="whoami",server="dns://127.0.0.1:0",view="",zone="."} 1',
    );
    expect(text).toContain('coredns_panics_total 0');
    expect(text).toMatch(/coredns_build_info\{goversion="node/);
  });
});
