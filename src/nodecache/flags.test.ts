import { describe, expect, it } from 'vitest';
import { parseGoFlags } from '../serve/process/go-flags.ts';
import { NODE_CACHE_FLAGS, nodeCacheSpec } from './flags.ts';
import { serviceHostVariable } from './upstream-service.ts';

const BARE = ['-setupinterface=false', '-setupiptables=false', '-skipteardown=true'];
const IP = ['-localip', '169.254.20.10'];

function spec(...args: string[]) {
  return nodeCacheSpec(parseGoFlags(args, NODE_CACHE_FLAGS));
}

describe('nodeCacheSpec', () => {
  it('takes the arguments of the field report', () => {
    const args = '-localip 169.254.20.10,10.96.0.10 -conf /etc/Corefile -upstreamsvc kube-dns-upstream';
    expect(spec(...args.split(' '), ...BARE)).toMatchObject({
      localIps: ['169.254.20.10', '10.96.0.10'],
      port: 53,
      corefile: '/etc/Corefile',
      baseCorefile: '/etc/coredns/Corefile.base',
      upstreamService: 'kube-dns-upstream',
      metricsAddress: '0.0.0.0:9353',
    });
  });

  it('sets everything up on its own unless it is told not to', () => {
    expect(spec(...IP)).toMatchObject({
      interfaceName: 'nodelocaldns',
      setupInterface: true,
      setupIptables: true,
      skipTeardown: false,
      healthPort: 8080,
      syncIntervalSeconds: 60,
      pidfile: '',
      reloadWithSignal: false,
    });
    expect(spec(...IP, ...BARE)).toMatchObject({
      setupInterface: false,
      setupIptables: false,
      skipTeardown: true,
    });
  });

  it('lets the kernel answer unless it is told not to, and refuses anything in between', () => {
    expect([spec(...IP), spec(...IP, '-kernel-answers=off')].map((each) => each.kernelAnswers)).toEqual([
      true,
      false,
    ]);
    expect(() => spec(...IP, '-kernel-answers=maybe')).toThrow(
      '"maybe" for flag -kernel-answers: not on or off',
    );
  });

  it('takes addresses of both families, each once', () => {
    expect(spec('-localip', '169.254.20.10,fd00:0::A,169.254.20.10').localIps).toEqual([
      '169.254.20.10',
      'fd00::a',
    ]);
  });

  const intervals: [text: string, seconds: number][] = [
    ['60ns', 60],
    ['30', 30],
    ['30s', 30],
    ['1m', 60],
    ['1h1m1s', 3661],
  ];
  it.each(intervals)('takes -syncinterval %s for %i seconds', (interval, seconds) => {
    expect(spec(...IP, '-syncinterval', interval).syncIntervalSeconds).toBe(seconds);
  });

  const refused: [args: string, message: string][] = [
    ['-localip 1.2.3', 'Error parsing flags - invalid localip specified - "1.2.3", Exiting'],
    ['', 'Error parsing flags - invalid localip specified - "", Exiting'],
    ['-localip 1.2.3.4 -dns.port x', 'Error parsing flags - invalid port specified - "x", Exiting'],
    [
      '-localip 1.2.3.4 -health-port x',
      'Error parsing flags - invalid healthcheck port specified - "x", Exiting',
    ],
    ['-localip 1.2.3.4 -health-port 0', 'invalid healthcheck port specified - "0"'],
    ['-localip 1.2.3.4 -health-port 65536', 'invalid healthcheck port specified - "65536"'],
    ['-localip 1.2.3.4 -interfacename a/b', 'invalid interfacename specified - "a/b"'],
    ['-localip 1.2.3.4 -interfacename sixteencharacter', 'invalid interfacename specified'],
    ['-localip 1.2.3.4 -syncinterval soon', 'invalid value "soon" for flag -syncinterval: parse error'],
    ['-localip 1.2.3.4 -syncinterval 0', 'invalid value "0" for flag -syncinterval: parse error'],
    ['-localip 1.2.3.4 -syncinterval=', 'invalid value "" for flag -syncinterval: parse error'],
    ['-localip 1.2.3.4 -setupebtables', 'flag provided but not defined: -setupebtables'],
  ];
  it.each(refused)('refuses %j', (args, message) => {
    expect(() => spec(...args.split(' ').filter(Boolean))).toThrow(message);
  });
});

describe('serviceHostVariable', () => {
  it('names what the kubelet sets', () => {
    expect(serviceHostVariable('kube-dns-upstream')).toBe('KUBE_DNS_UPSTREAM_SERVICE_HOST');
  });
});
