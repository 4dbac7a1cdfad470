import { describe, expect, it } from 'vitest';
import { parseGoFlags } from '../serve/process/go-flags.ts';
import { NODE_CACHE_FLAGS, nodeCacheSpec } from './flags.ts';
import { serviceHostVariable } from './upstream-service.ts';

const BARE = ['-setupinterface=false', '-setupiptables=false', '-skipteardown=true'];

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

  it.each(['60ns', '60', '30s'])('takes -syncinterval %s', (interval) => {
    expect(spec('-localip', '::1', '-syncinterval', interval, ...BARE).localIps).toEqual(['::1']);
  });

  const refused: [args: string, message: string][] = [
    ['-localip 1.2.3', 'Error parsing flags - invalid localip specified - "1.2.3", Exiting'],
    ['', 'Error parsing flags - invalid localip specified - "", Exiting'],
    [
      '-localip 1.2.3.4,::1',
      'Error parsing flags - unexpected IP Family for localIP - "::1", want IPv6=false, Exiting',
    ],
    ['-localip 1.2.3.4 -health-port 0', 'invalid healthcheck port specified - "0"'],
    ['-localip 1.2.3.4 -syncinterval soon', 'invalid syncinterval specified - "soon"'],
  ];
  it.each(refused)('refuses %j', (args, message) => {
    expect(() => spec(...args.split(' ').filter(Boolean), ...BARE)).toThrow(message);
  });

  it('refuses to set up what is not built, and says what to pass', () => {
    const refusal = (...args: string[]) => {
      try {
        return spec('-localip', '1.2.3.4', ...args);
      } catch (error) {
        return error;
      }
    };
    expect(refusal()).toMatchObject({ code: 'NODECACHE_INTERFACE_UNBUILT' });
    expect(refusal('-setupinterface=false')).toMatchObject({
      code: 'NODECACHE_IPTABLES_UNBUILT',
      hint: expect.stringContaining('-setupiptables=false'),
    });
  });
});

describe('serviceHostVariable', () => {
  it('names what the kubelet sets', () => {
    expect(serviceHostVariable('kube-dns-upstream')).toBe('KUBE_DNS_UPSTREAM_SERVICE_HOST');
  });
});
