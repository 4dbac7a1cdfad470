import { describe, expect, it } from 'vitest';
import { ROOT } from '../../dns/name.ts';
import { directivesOf, name, setUp } from '../fake-host.ts';
import { type CacheSpec, readCacheSpec } from './options.ts';
import { setup } from './setup.ts';

function spec(lines: string): CacheSpec {
  const [directive] = directivesOf(lines);
  if (directive === undefined) throw new Error('no directive');
  return readCacheSpec(directive, [name('example.org.')]);
}

describe('readCacheSpec', () => {
  it('has the defaults of CoreDNS', () => {
    expect(spec('cache')).toEqual({
      zones: ['example.org.'],
      success: { entries: 9984, maxTtlSeconds: 3600, minTtlSeconds: 5, except: [] },
      denial: { entries: 9984, maxTtlSeconds: 1800, minTtlSeconds: 5, except: [] },
      servfailSeconds: 5,
      keepTtl: false,
      prefetch: undefined,
      stale: undefined,
      preferPositive: false,
    });
  });

  it.each<[string, string, object]>([
    ['a TTL caps both shares', 'cache 30', { success: { maxTtlSeconds: 30 }, denial: { maxTtlSeconds: 30 } }],
    ['zones follow the TTL', 'cache 30 a.example 10.0.0.0/8', { zones: ['a.example.', '10.in-addr.arpa.'] }],
    ['zones may stand alone', 'cache a.example', { zones: ['a.example.'], success: { maxTtlSeconds: 3600 } }],
    [
      'the lines of the node cache',
      'cache {\nsuccess 9984 30\ndenial 9984 5\n}',
      { success: { entries: 9984, maxTtlSeconds: 30 }, denial: { entries: 9984, maxTtlSeconds: 5 } },
    ],
    ['a minimum TTL', 'cache {\nsuccess 1000 60 0\n}', { success: { entries: 1024, minTtlSeconds: 0 } }],
    [
      'the lines kubeadm writes',
      'cache 30 {\ndisable success cluster.local\ndisable denial cluster.local\n}',
      { success: { except: ['cluster.local.'] }, denial: { except: ['cluster.local.'] } },
    ],
    ['disable without zones means all', 'cache {\ndisable denial\n}', { denial: { except: [ROOT] } }],
    ['servfail may be switched off', 'cache {\nservfail 0\n}', { servfailSeconds: 0 }],
    ['prefetch', 'cache {\nprefetch 3 2m 20%\n}', { prefetch: { hits: 3, gapMs: 120_000, percent: 20 } }],
    ['serve_stale', 'cache {\nserve_stale\n}', { stale: { upToMs: 3_600_000, verify: false } }],
    [
      'serve_stale with all',
      'cache {\nserve_stale 10m verify\n}',
      { stale: { upToMs: 600_000, verify: true } },
    ],
    [
      'a TTL for stale answers, and patience after a failure',
      'cache {\nserve_stale 1h immediate 30s 10s\n}',
      { stale: { verify: false, timeoutMs: 0, ttlSeconds: 30, recheckMs: 10_000 } },
    ],
    [
      'a bound to verification',
      'cache {\nserve_stale 1h verify 100ms 30s 10s\n}',
      { stale: { verify: true, timeoutMs: 100, ttlSeconds: 30, recheckMs: 10_000 } },
    ],
    [
      'prefer_positive',
      'cache {\nserve_stale_policy prefer_positive\nserve_stale\n}',
      { preferPositive: true },
    ],
    [
      'prefer_positive alone changes nothing',
      'cache {\nserve_stale_policy prefer_positive\n}',
      { preferPositive: false },
    ],
    ['keepttl', 'cache {\nkeepttl\n}', { keepTtl: true }],
  ])('%s', (_case, lines, expected) => {
    expect(spec(lines)).toMatchObject(expected);
  });

  it.each([
    ['a TTL of zero', 'cache 0', /cache TTL can not be zero or negative: 0/],
    ['a negative TTL', 'cache {\nsuccess 100 -5\n}', /Corefile:3 .*zero or negative: -5/],
    ['a capacity that is no number', 'cache {\nsuccess many\n}', /invalid integer: "many"/],
    ['a capacity that would end the process', 'cache {\nsuccess 99999999999\n}', /between 0 and 10000000/],
    ['an unknown option, as CoreDNS does', 'cache {\nsucess 100\n}', /unexpected line ending after 'sucess'/],
    ['an unknown policy', 'cache {\nserve_stale_policy prefer_fresh\n}', /serve_stale_policy: prefer_fresh/],
    ['a policy that is not named', 'cache {\nserve_stale_policy\n}', /after 'serve_stale_policy'/],
    ['more than there is to say', 'cache {\nserve_stale 1h immediate 30s 30s 1s\n}', /after '1s'/],
    ['a TTL between two seconds', 'cache {\nserve_stale 1h immediate 1.5s\n}', /whole seconds: 1.5s/],
    ['an hour until the next try', 'cache {\nserve_stale 1h verify 1s 30s 1h\n}', /over 5 minutes .*: 1h/],
    ['a stale TTL without unit', 'cache {\nserve_stale 1h immediate 30\n}', /missing unit in duration/],
    ['an hour of SERVFAIL', 'cache {\nservfail 1h\n}', /over 5 minutes is not permitted: 1h/],
    ['a share without percent sign', 'cache {\nprefetch 1 1m 20\n}', /last character of percentage/],
    ['a share beyond ninety', 'cache {\nprefetch 1 1m 95%\n}', /range \[10, 90\]: 95/],
    ['an unknown way to serve stale', 'cache {\nserve_stale 1h gladly\n}', /refresh mode: gladly/],
    ['disabling something else', 'cache {\ndisable both\n}', /must be "success" or "denial"/],
  ])('refuses %s', (_case, lines, message) => {
    expect(() => spec(lines)).toThrow(message);
  });

  it('may stand only once in a block', () => {
    expect(() => setUp(setup, 'cache\ncache')).toThrow(/only be used once/);
  });
});
