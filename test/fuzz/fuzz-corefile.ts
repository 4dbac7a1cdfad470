/** Configurations that send mutated queries through many plugins, and what they know: names of `corpus.ts`. */
import type { ClusterSnapshot } from '../../src/cluster/snapshot.ts';
import { clusterSnapshot } from '../../src/plugins/kubernetes/cases/cluster-fixture.ts';

export interface CorefileParts {
  readonly upstream: string;
  readonly port: number;
  /** Of the root block; default `STOCK`. */
  readonly variant?: Variant;
  /** Lines of the root block beside the others: `kubernetes …`. */
  readonly extra?: string;
  /** Files for `tls`; absent: no DoT. */
  readonly tls?: { readonly port: number; readonly cert: string; readonly key: string };
}

/** What changes how answers are remembered and replayed. */
export interface Variant {
  readonly cache: string;
  readonly loadbalance: boolean;
}

const STOCK: Variant = { cache: 'cache 300', loadbalance: true };

export const VARIANTS: readonly Variant[] = [
  STOCK,
  { cache: 'cache 300 {\n keepttl\n }\n bufsize 1232', loadbalance: false },
  { cache: 'cache 300 {\n prefetch 2 1m 90%\n }', loadbalance: false },
  { cache: 'cache 300 {\n serve_stale 1h immediate\n servfail 1s\n }', loadbalance: true },
];

export const KUBERNETES = `kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
  }`;

/** In the root block packet threads may answer, in the others they may not. */
export function fuzzCorefile({ upstream, port, extra = '', tls, variant = STOCK }: CorefileParts): string {
  const key = (zone: string) => `${zone}:${port}`;
  const dot = tls === undefined ? '' : ` tls://.:${tls.port}`;
  const certificate = tls === undefined ? '' : `tls ${tls.cert} ${tls.key}`;
  return `
${key('.')}${dot} {
  bind 127.0.0.1
  errors
  local
  any
  chaos fuzz-1 nobody
  nsid fuzz
  ${variant.loadbalance ? 'loadbalance' : ''}
  ${variant.cache}
  ${certificate}
  hosts {
    192.0.2.9 host.hosts.test
    2001:db8::9 host.hosts.test
    fallthrough
  }
  ${extra}
  forward . ${upstream}
}
${key('tpl.test')} ${key('six.test')} {
  bind 127.0.0.1
  errors
  bufsize 1232
  dns64
  rewrite name exact exact.tpl.test ip-10-1-1-1.tpl.test
  rewrite name regex (.*)rewritten(.*) {1}ip-10-2-2-2{2} answer auto
  rewrite edns0 local set 0xffee 0x61626364
  acl {
    block type HINFO net *
    filter type NAPTR
    drop type LOC
  }
  cache 5
  header {
    response set ra
  }
  minimal
  template IN A tpl.test {
    match ^ip-(?P<a>[0-9]+)-(?P<b>[0-9]+)-(?P<c>[0-9]+)-(?P<d>[0-9]+)[.]
    answer "{{ .Name }} 60 IN A {{ .Group.a }}.{{ .Group.b }}.{{ .Group.c }}.{{ .Group.d }}"
    additional "{{ .Name }} 60 IN TXT \\"{{ .Remote }} {{ .Question.Name }}\\""
    fallthrough
  }
  template IN ANY tpl.test {
    match "^(.*)regex(.*)$"
    answer "{{ .Name }} 60 IN CNAME {{ index .Match 1 }}ip-10-0-0-7.tpl.test."
    fallthrough
  }
  forward . ${upstream} {
    force_tcp
  }
}
${key('who.am.i.test')} {
  bind 127.0.0.1
  whoami
}
`;
}

export function fuzzCluster(): ClusterSnapshot {
  const long = { ns: 'some-quite-long-namespace-name', name: 'very-long-service-name' };
  return clusterSnapshot({
    namespaces: ['default', 'data', long.ns],
    services: [
      { ns: 'default', name: 'web', ips: ['10.96.0.10', '2001:db8:1::1'], ports: ['http 80/TCP'] },
      { ns: 'default', name: 'out', externalName: 'a.up.test' },
      { ns: 'data', name: 'db', ports: ['sql 5432/TCP'] },
      { ...long, ips: ['10.96.0.11'], ports: ['http 80/TCP'] },
    ],
    slices: [
      {
        ns: 'data',
        service: 'db',
        ports: ['sql 5432/TCP'],
        endpoints: [
          { ips: ['10.244.0.7'], hostname: 'web-0' },
          { ips: ['10.244.0.8'], pod: 'db-1' },
        ],
      },
    ],
  });
}
