/** The JSON forms (local-redirect-policy 3.3) and the choices the text forms leave to the caller. */
import { describe, expect, it } from 'vitest';
import { parseIp } from '../net/ip.ts';
import { toPort } from '../net/port.ts';
import { formatLrpList, formatServiceList, lrpListJson, serviceListJson } from './print.ts';
import type { Backend, Frontend, ServiceTable } from './table.ts';

function at(text: string, port: number) {
  const address = parseIp(text);
  const number = toPort(port);
  if (address === undefined || number === undefined) throw new Error('bad fixture');
  return { address, port: number };
}

const backend: Backend = {
  ...at('172.20.0.247', 53),
  protocol: 'UDP',
  state: 'active',
  pod: 'kube-system/node-local-dns-4sh8s',
};
const dns: Frontend = {
  ...at('10.96.0.10', 53),
  protocol: 'UDP',
  type: 'LocalRedirect',
  service: 'kube-system/kube-dns',
  portName: 'dns',
  policy: 'kube-system/nodelocaldns',
  backends: [backend],
};
const metrics: Frontend = {
  ...at('10.96.0.10', 9153),
  protocol: 'TCP',
  type: 'ClusterIP',
  service: 'kube-system/kube-dns',
  backends: [
    { ...at('10.244.1.33', 9153), protocol: 'TCP', state: 'active' },
    { ...at('10.244.1.235', 9153), protocol: 'TCP', state: 'terminating' },
  ],
};
const table: ServiceTable = {
  generation: 1,
  redirects: [dns],
  policies: [
    {
      policy: 'kube-system/nodelocaldns',
      uid: 'f00d',
      frontendType: 'clusterIP + all svc ports',
      service: 'kube-system/kube-dns',
      state: 'active',
      reason: '',
      frontends: [dns, { ...metrics, backends: [] }],
      skipRedirectFromBackend: false,
    },
  ],
};

describe('formatLrpList', () => {
  it('shows what matches and is not redirected on request, as releases up to 1.17 did', () => {
    expect(formatLrpList(table, { unredirected: true })).toContain(
      '\n                |              10.96.0.10:9153/TCP -> \n',
    );
  });

  it('hides it otherwise, as newer releases do', () => {
    expect(formatLrpList(table)).not.toContain('9153');
  });

  it('prints the titles alone when there is no policy', () => {
    expect(formatLrpList({ generation: 0, redirects: [], policies: [] })).toBe(
      'LRP namespace   LRP name   FrontendType   Matching Service\n',
    );
  });

  it('does not pass on what would steer a terminal', () => {
    const policies = table.policies.map((state) => ({ ...state, service: 'a/\u001b[2J\nb' }));
    expect(formatLrpList({ ...table, policies })).toContain('   a/?[2J?b\n');
  });

  it('calls a backend of no known pod unknown', () => {
    const { pod: _, ...bare } = backend;
    const frontends = [{ ...dns, backends: [bare] }];
    const policies = table.policies.map((state) => ({ ...state, frontends }));
    expect(formatLrpList({ ...table, redirects: frontends, policies })).toContain(
      '172.20.0.247:53(unknown), \n',
    );
  });
});

describe('formatServiceList', () => {
  it('prints the rows of the field report', () => {
    const ids = new Map([
      [dns, 16],
      [metrics, 6],
    ]);
    expect(formatServiceList([dns, metrics], (frontend) => ids.get(frontend))).toBe(
      [
        'ID   Frontend              Service Type    Backend',
        '16   10.96.0.10:53/UDP     LocalRedirect   1 => 172.20.0.247:53/UDP (active)',
        '6    10.96.0.10:9153/TCP   ClusterIP       1 => 10.244.1.33:9153/TCP (active)',
        '                                           2 => 10.244.1.235:9153/TCP (terminating)',
        '',
      ].join('\n'),
    );
  });

  it('keeps the order of addresses and ports, whoever has an id', () => {
    const frontends = [
      metrics,
      { ...dns, ...at('10.96.0.9', 53) },
      dns,
      { ...dns, ...at('10.96.0.10', 853) },
    ];
    const text = formatServiceList(frontends, (frontend) => (frontend === metrics ? 3 : undefined));
    expect(text.match(/10\.96\.0\.\d+:\d+/g)).toEqual([
      '10.96.0.9:53',
      '10.96.0.10:53',
      '10.96.0.10:853',
      '10.96.0.10:9153',
    ]);
  });
});

describe('the JSON forms', () => {
  it('have the keys of the REST API', () => {
    expect(lrpListJson(table, { unredirected: false })).toMatchObject([
      {
        uid: 'f00d',
        namespace: 'kube-system',
        name: 'nodelocaldns',
        'lrp-type': 'svc',
        'frontend-type': 'clusterIP + all svc ports',
        'service-id': 'kube-system/kube-dns',
        'frontend-mappings': [
          {
            'frontend-address': { ip: '10.96.0.10', port: 53, protocol: 'UDP' },
            backends: [
              {
                'pod-id': 'kube-system/node-local-dns-4sh8s',
                'backend-address': { ip: '172.20.0.247', port: 53, protocol: 'UDP', state: 'active' },
              },
            ],
          },
        ],
      },
    ]);
  });

  it('survive JSON.stringify unchanged', () => {
    const list = serviceListJson([dns, metrics], () => 1);
    expect(JSON.parse(JSON.stringify(list))).toEqual(list);
  });
});
