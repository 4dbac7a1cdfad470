import { describe, expect, it } from 'vitest';
import type { BlockInfo } from '../contract.ts';
import { directivesOf, fakeBlock, fakeHost, name } from '../fake-host.ts';
import { parseKubernetes } from './parse-directive.ts';

const cluster: BlockInfo = { ...fakeBlock, zones: [name('cluster.local')] };

function parse(lines: string, block = cluster, host = fakeHost({ directory: '/etc/coredns' })) {
  return parseKubernetes({ directives: directivesOf(lines), block, host });
}

const withOption = (line: string) => `kubernetes cluster.local {\n${line}\n}`;

describe('parseKubernetes', () => {
  it('has the documented defaults', () => {
    const { options, need } = parse('kubernetes cluster.local');
    expect(options).toEqual({
      zones: ['cluster.local.'],
      primaryZone: 'cluster.local.',
      pods: 'disabled',
      endpointPodNames: false,
      ttlSeconds: 5,
      endpoints: true,
      fallthrough: [],
      ignoreEmptyService: false,
      startupTimeoutMs: 5000,
      zonal: false,
      multiclusterZones: [],
    });
    expect(need).toEqual({ kinds: ['services', 'namespaces', 'endpointSlices'] });
  });

  it('takes the zones of the block when it names none', () => {
    expect(parse('kubernetes').options.zones).toEqual(['cluster.local.']);
  });

  it('takes networks for zones, and the first forward zone as the primary one', () => {
    const { options } = parse('kubernetes 10.96.0.0/16 Cluster.Local other.zone');
    expect(options.zones).toEqual(['96.10.in-addr.arpa.', 'cluster.local.', 'other.zone.']);
    expect(options.primaryZone).toBe('cluster.local.');
  });

  it('reads the stock directive', () => {
    const lines = 'pods insecure\nfallthrough in-addr.arpa ip6.arpa\nttl 30';
    const { options } = parse(`kubernetes cluster.local in-addr.arpa ip6.arpa {\n${lines}\n}`);
    expect(options).toMatchObject({
      pods: 'insecure',
      fallthrough: ['in-addr.arpa.', 'ip6.arpa.'],
      ttlSeconds: 30,
    });
  });

  it.each([
    ['fallthrough', { fallthrough: ['.'] }],
    ['pods verified', { pods: 'verified' }],
    ['ttl 0', { ttlSeconds: 0 }],
    ['ttl 3600', { ttlSeconds: 3600 }],
    ['noendpoints', { endpoints: false }],
    ['endpoint_pod_names', { endpointPodNames: true }],
    ['ignore empty_service', { ignoreEmptyService: true }],
    ['startup_timeout 1m30s', { startupTimeoutMs: 90_000 }],
    ['startup_timeout 0', { startupTimeoutMs: 0 }],
    ['namespaces a b\nnamespaces c', { namespaces: new Set(['a', 'b', 'c']) }],
    ['zonal', { zonal: true }],
    ['multicluster Cluster.Local', { multiclusterZones: ['cluster.local.'] }],
  ])('reads %j', (line, expected) => {
    expect(parse(withOption(line)).options).toMatchObject(expected);
  });

  it.each([
    ['endpoint http://127.0.0.1:8080', { endpoint: 'http://127.0.0.1:8080' }],
    [
      'tls cert.pem /k/key.pem ca.pem',
      { tls: { cert: '/etc/coredns/cert.pem', key: '/k/key.pem', ca: '/etc/coredns/ca.pem' } },
    ],
    ['kubeconfig config', { kubeconfig: { file: '/etc/coredns/config' } }],
    ['kubeconfig /root/config admin', { kubeconfig: { file: '/root/config', context: 'admin' } }],
    ['labels app in (dns, web), !canary', { labelSelector: 'app in (dns, web), !canary' }],
    ['namespace_labels team=net', { namespaceLabelSelector: 'team=net' }],
    [
      'pods verified',
      {
        kinds: ['services', 'namespaces', 'endpointSlices', 'pods'],
        podFieldSelector: 'status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown',
      },
    ],
    [
      'multicluster cluster.local',
      { kinds: ['services', 'namespaces', 'endpointSlices', 'serviceImports', 'importedSlices'] },
    ],
    ['apiserver_qps 0.5', { limits: { perSecond: 0.5 } }],
    ['apiserver_burst 10\napiserver_max_inflight 3', { limits: { burst: 10, inFlight: 3 } }],
    ['noendpoints', { kinds: ['services', 'namespaces'] }],
  ])('asks the watch for what %j means', (line, expected) => {
    expect(parse(withOption(line)).need).toMatchObject(expected);
  });

  it('warns about more than one endpoint and uses the first', () => {
    const host = fakeHost();
    const { need } = parse(withOption('endpoint http://a:1 http://b:2'), cluster, host);
    expect(need.endpoint).toBe('http://a:1');
    expect(host.lines).toEqual([
      "[WARNING] Multiple endpoints have been deprecated, only the first specified endpoint 'http://a:1' is used",
    ]);
  });

  it('says that tls without an endpoint is not used', () => {
    const host = fakeHost();
    parse(withOption('tls a b c'), cluster, host);
    expect(host.lines).toEqual(['[WARNING] tls has no effect without endpoint: the service account is used']);
  });

  it.each([
    ['pods maybe', 'wrong value for pods: maybe,  must be one of: disabled, verified, insecure'],
    ['ttl 3601', 'ttl must be in range [0, 3600]: 3601'],
    ['ttl -1', 'ttl must be in range [0, 3600]: -1'],
    ['ttl soon', 'invalid ttl: "soon"'],
    ['ignore everything', "unable to parse ignore value: 'everything'"],
    ['labels app in', "unable to parse label selector value: 'app in'"],
    ['namespace_labels =x', "unable to parse namespace_label selector value: '=x'"],
    ['namespaces a\nnamespace_labels b=c', 'namespaces and namespace_labels cannot both be set'],
    ['startup_timeout 5', 'time: missing unit in duration "5"'],
    ['startup_timeout -1s', 'duration must be at least 0s'],
    ['apiserver_qps fast', 'apiserver_qps must be a number of at least 0: fast'],
    ['apiserver_burst -1', 'apiserver_burst must be a whole number of at least 0: -1'],
    ['resyncperiod 5m', "unknown property 'resyncperiod'"],
    ['upstream', "unknown property 'upstream'"],
    ['transfer to *', "unknown property 'transfer'"],
    ['federation a b', "unknown property 'federation'"],
    ['apiserver_max_inflight 1.5', 'apiserver_max_inflight must be a whole number of at least 0: 1.5'],
    ['multicluster clusterset.local', 'is not authoritative for the multicluster zone clusterset.local.'],
    ['multicluster', "unexpected line ending after 'multicluster'"],
    ['zonal yes', "unexpected line ending after 'yes'"],
    ['zonal\nnoendpoints', 'zonal and noendpoints cannot both be set'],
    ['tls a b', "unexpected line ending after 'b'"],
    ['kubeconfig', "unexpected line ending after 'kubeconfig'"],
    ['kubeconfig a b c', "unexpected line ending after 'c'"],
    ['endpoint', "unexpected line ending after 'endpoint'"],
    ['namespaces', "unexpected line ending after 'namespaces'"],
    ['labels', "unexpected line ending after 'labels'"],
    ['pods', "unexpected line ending after 'pods'"],
    ['ttl', "unexpected line ending after 'ttl'"],
    ['ignore', "unexpected line ending after 'ignore'"],
    ['noendpoints yes', "unexpected line ending after 'yes'"],
    ['endpoint_pod_names yes', "unexpected line ending after 'yes'"],
  ])('refuses %j', (line, reason) => {
    expect(() => parse(withOption(line))).toThrow(reason);
    expect(() => parse(withOption(line))).toThrow(
      /^plugin\/kubernetes: Corefile:\d+ - Error during parsing: /,
    );
  });

  it('refuses to serve nothing but reverse zones', () => {
    expect(() => parse('kubernetes in-addr.arpa ip6.arpa')).toThrow('non-reverse zone name must be used');
  });

  it('stands once in a block', () => {
    expect(() => parse('kubernetes a\nkubernetes b')).toThrow(
      'this plugin can only be used once per Server Block',
    );
  });
});
