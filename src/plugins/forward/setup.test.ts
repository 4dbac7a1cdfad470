import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { directivesOf, fakeHost, setUp } from '../fake-host.ts';
import { readForwardSpec } from './options.ts';
import { setup } from './setup.ts';
import { keyOf, nameservers, parseTlsUpstream, parseUpstream, readTargets } from './upstream-address.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'forward-'));
  writeFileSync(
    join(directory, 'resolv.conf'),
    '# by hand\nsearch example.org\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nnameserver 192.0.2.53\noptions ndots:5\n',
  );
  writeFileSync(join(directory, 'empty.conf'), 'search example.org\n');
});
afterAll(() => rmSync(directory, { recursive: true }));

function upstreamsOf(line: string): readonly string[] {
  const tokens = directivesOf(line)[0]?.args.slice(1) ?? [];
  return readTargets(tokens, directory).map((target) => keyOf(target).replace(/^dns:\/\/|%$/g, ''));
}

describe('parseUpstream', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1:53'],
    ['192.0.2.1:5353', '192.0.2.1:5353'],
    ['2001:DB8::1', '[2001:db8::1]:53'],
    ['[2001:db8::1]', '[2001:db8::1]:53'],
    ['[2001:db8::1]:5353', '[2001:db8::1]:5353'],
    ['192.0.2.1:0', undefined],
    ['192.0.2.1:65536', undefined],
    ['192.0.2.256', undefined],
    ['dns.example.org', undefined],
    ['', undefined],
  ])('%s', (text, upstream) => {
    expect(parseUpstream(text)?.text).toBe(upstream);
  });
});

describe('parseTlsUpstream', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1:853', undefined],
    ['192.0.2.1:8853', '192.0.2.1:8853', undefined],
    ['192.0.2.1%dns.example', '192.0.2.1:853', 'dns.example'],
    ['192.0.2.1%dns.example:8853', '192.0.2.1:8853', 'dns.example'],
    ['2001:db8::1', '[2001:db8::1]:853', undefined],
    ['2001:db8::1%dns.example', '[2001:db8::1]:853', 'dns.example'],
    ['[2001:db8::1]%dns.example', '[2001:db8::1]:853', 'dns.example'],
    ['[2001:db8::1%dns.example]:8853', '[2001:db8::1]:8853', 'dns.example'],
    ['[2001:db8::1]%dns.example:8853', '[2001:db8::1]:8853', 'dns.example'],
    ['192.0.2.1%', undefined, undefined],
    ['dns.example', undefined, undefined],
  ])('%s', (text, upstream, serverName) => {
    const found = parseTlsUpstream(text);
    expect([found?.text, found?.serverName]).toEqual([upstream, serverName]);
    expect(found?.tls ?? true).toBe(true);
  });
});

describe('the TO arguments', () => {
  it.each([
    [
      'addresses, duplicates dropped',
      'forward . 192.0.2.1 dns://192.0.2.2 192.0.2.1:53',
      ['192.0.2.1:53', '192.0.2.2:53'],
    ],
    ['a file relative to the directory', 'forward . resolv.conf', ['192.0.2.53:53', '[fe80::1]:53']],
    [
      'a file beside an address',
      'forward . 192.0.2.1 resolv.conf',
      ['192.0.2.1:53', '192.0.2.53:53', '[fe80::1]:53'],
    ],
    [
      'TLS servers, apart from plain ones at the same address',
      'forward . tls://192.0.2.1 tls://192.0.2.1:853 tls://192.0.2.1%a.example dns://192.0.2.1:853',
      ['tls://192.0.2.1:853', 'tls://192.0.2.1:853%a.example', '192.0.2.1:853'],
    ],
    [
      'names of hosts, resolved later',
      'forward . dns.example.org ns1.example:5353 DNS.example.org:53 tls://dns.example',
      ['dns.example.org:53', 'ns1.example:5353', 'tls://dns.example:853%dns.example'],
    ],
  ])('may be %s', (_case, line, upstreams) => {
    expect(upstreamsOf(line)).toEqual(upstreams);
  });

  it.each([
    [
      'a file that is not there',
      'forward . ./dns.example.org',
      /Corefile:2 .*not an IP address or file: "\.\/dns/,
    ],
    ['a mistyped address', 'forward . 192.0.2.256', /Corefile:2 .*not an IP address or file: "192.0.2.256"/],
    ['a file without nameservers', 'forward . empty.conf', /no nameservers found/],
    ['a directory', 'forward . .', /not an IP address or file/],
    ['HTTPS', 'forward . https://192.0.2.1', /scheme 'https:\/\/' is not supported/],
    [
      'more than fifteen',
      `forward . ${Array.from({ length: 16 }, (_, i) => `192.0.2.${i}`).join(' ')}`,
      /more than 15 TOs configured: 16/,
    ],
  ])('may not be %s', (_case, line, message) => {
    expect(() => upstreamsOf(line)).toThrow(message);
  });

  it('come from nameserver lines only', () => {
    expect(
      nameservers('nameserver\nnameserver nonsense\n  nameserver 192.0.2.1 # x').map(({ text }) => text),
    ).toEqual(['192.0.2.1:53']);
  });
});

describe('the options', () => {
  const spec = (body: string) => {
    const [directive] = directivesOf(`forward . 192.0.2.1 {\n${body}\n}`);
    if (directive === undefined) throw new Error('no directive');
    return readForwardSpec(directive);
  };

  it('have the defaults of CoreDNS', () => {
    expect(spec('')).toMatchObject({
      forceTcp: false,
      preferUdp: false,
      expireMs: 10_000,
      maxFails: 2,
      policy: 'random',
      probe: { intervalMs: 500, recursionDesired: true, domain: '.' },
      maxConcurrent: 0,
      readTimeoutMs: 2000,
    });
  });

  it.each([
    [
      'except, added up over lines',
      'except a.example B.example\nexcept c.example',
      { except: ['a.example.', 'b.example.', 'c.example.'] },
    ],
    [
      'health_check',
      'health_check 1s no_rec domain example.org',
      { probe: { intervalMs: 1000, recursionDesired: false, domain: 'example.org.' } },
    ],
    ['max_concurrent', 'max_concurrent 1000', { maxConcurrent: 1000 }],
    ['expire', 'expire 1m', { expireMs: 60_000 }],
    ['failover', 'failover SERVFAIL refused', { failover: new Set([2, 5]) }],
    ['next', 'next NXDOMAIN', { nextRcodes: new Set([3]) }],
    ['next_on_nodata', 'next_on_nodata', { nextOnNodata: true }],
    ['max_idle_conns', 'max_idle_conns 3', { maxIdle: 3 }],
    ['max_age', 'max_age 1m', { maxAgeMs: 60_000 }],
    ['read_timeout', 'read_timeout 500ms', { readTimeoutMs: 500 }],
    ['source_address', 'source_address 127.0.0.9', { sourceAddress: '127.0.0.9' }],
    [
      'resolver',
      'resolver 192.0.2.1 [2001:db8::1]:5353',
      { resolvers: ['192.0.2.1:53', '[2001:db8::1]:5353'] },
    ],
    ['tls_servername', 'tls_servername dns.example', { tlsServerName: 'dns.example' }],
    ['tls without files', 'tls', { tls: {} }],
    ['tls with an authority', 'tls ca.pem', { tls: { ca: { text: 'ca.pem' } } }],
    [
      'tls with all files',
      'tls cert.pem key.pem ca.pem',
      { tls: { cert: { text: 'cert.pem' }, key: { text: 'key.pem' }, ca: { text: 'ca.pem' } } },
    ],
  ])('take %s', (_case, body, expected) => {
    expect(spec(body)).toMatchObject(expected);
  });

  it.each([
    ['a misspelt one', 'excpt a.example', /Corefile:3 .*unknown property 'excpt'/],
    ['doh_method, by name', 'doh_method GET', /'doh_method' is not supported/],
    ['a fourth file', 'tls a b c d', /after 'd'/],
    ['a source that is a name', 'source_address here', /source_address is not an IP address: "here"/],
    ['a resolver that is a name', 'resolver dns.example', /resolver is not an IP address: "dns.example"/],
    ['an unknown policy', 'policy fastest', /unknown policy 'fastest'/],
    ['a duration without unit', 'expire 10', /missing unit in duration "10"/],
    ['a negative count', 'max_fails -1', /received -1/],
    ['an argument to a flag', 'force_tcp yes', /after 'yes'/],
    ['an unknown rcode', 'next SOMETIMES', /SOMETIMES is not a valid rcode/],
    ['NOERROR to fail over on', 'failover NOERROR', /NoError cannot be used in failover/],
    ['a health check without interval', 'health_check', /after 'health_check'/],
    ['a health check with a broken domain', 'health_check 1s domain a..b', /invalid domain name/],
    ['a property of every object', 'constructor', /unknown property 'constructor'/],
  ])('refuse %s', (_case, body, message) => {
    expect(() => spec(body)).toThrow(message);
  });
});

describe('forward in a Corefile', () => {
  it('needs a FROM and a TO', () => {
    expect(() => setUp(setup, 'forward .')).toThrow(/unexpected line ending after '\.'/);
  });

  it('warns when only the first of several reverse zones is used', () => {
    const host = fakeHost();
    setUp(setup, 'forward 10.0.0.0/15 192.0.2.1', { host });
    expect(host.lines.join()).toContain(
      "Unsupported CIDR notation: '10.0.0.0/15' expands to multiple zones.",
    );
  });

  it('refuses a FROM that is no zone', () => {
    expect(() => setUp(setup, 'forward a..b 192.0.2.1')).toThrow(/unable to normalize/);
  });

  it('takes queries of every class', () => {
    expect(setUp(setup, 'forward . 192.0.2.1').anyClass).toBe(true);
  });
});
