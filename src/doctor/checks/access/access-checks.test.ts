/** Network policies over the real way of DNS: what closes it is found, and the rule that is printed opens it. */
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  CILIUM,
  CLUSTER_DNS,
  changed,
  foundBy,
  POD_CACHE,
  POLICY,
  reportOf,
} from '../../testing/manifest-report.ts';

const CLIENT = `
apiVersion: v1
kind: Pod
metadata: { name: shop, namespace: web, labels: { app: shop } }
spec: { containers: [{ name: shop, image: shop }] }
`;
/** What most clusters have: DNS is allowed by the label of the cluster's own servers. */
const DENY = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: deny-egress, namespace: web }
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
    - to:
        - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: kube-system } }
          podSelector: { matchLabels: { k8s-app: kube-dns } }
      ports: [{ port: 53, protocol: UDP }, { port: 53, protocol: TCP }]
`;
const REDIRECTED = [CLUSTER_DNS, POD_CACHE, POLICY];

describe('d19', () => {
  it('finds that the cache is not allowed where the cluster DNS is, and prints what allows it', async () => {
    const { findings } = await reportOf(...REDIRECTED, CLIENT, DENY);
    const finding = findings.find(({ id }) => id === 'D19');
    expect(finding).toMatchObject({ severity: 'broken', object: 'NetworkPolicy web/deny-egress' });
    expect(finding?.evidence[0]).toContain('Pod web/shop');
    expect(await foundBy('D19', ...REDIRECTED, CLIENT, DENY, finding?.fix.text ?? '')).toEqual([]);
  });

  it('prints a policy that closes no pod which was open, and takes the place of no other', async () => {
    const deny = changed(DENY, 'podSelector: {}', 'podSelector: { matchLabels: { app: shop } }');
    const other = changed(CLIENT, /shop/g, 'open');
    const fix = (await reportOf(...REDIRECTED, CLIENT, other, deny)).findings.find(
      ({ id }) => id === 'D19',
    )?.fix;
    expect(parse(fix?.text ?? '')).toMatchObject({
      metadata: { name: 'dns-for-deny-egress', namespace: 'web' },
      spec: { podSelector: { matchLabels: { app: 'shop' } } },
    });
    expect(await foundBy('D19', ...REDIRECTED, CLIENT, other, deny, fix?.text ?? '')).toEqual([]);
  });

  it('has nothing against the same policy where nothing is redirected', async () => {
    expect(await foundBy('D19', CLUSTER_DNS, CLIENT, DENY)).toEqual([]);
  });

  it.each([
    {
      name: 'for pods of its own namespace only',
      from: /- namespaceSelector.*\n {10}podSelector/,
      to: '- podSelector',
    },
    { name: 'for another port', from: /port: 53/g, to: 'port: 5353' },
    {
      name: 'with the right prefix taken out again',
      from: /- namespaceSelector.*\n.*kube-dns.*/,
      to: '- ipBlock: { cidr: 0.0.0.0/0, except: [0.0.0.0/1, 128.0.0.0/1] }',
    },
    {
      name: 'with a peer that cannot be read',
      from: /- namespaceSelector.*\n.*kube-dns.*/,
      to: '- ipBlock: { cidr: everywhere }',
    },
  ])('does not take a rule $name for one', async ({ from, to }) => {
    expect(await foundBy('D19', CLUSTER_DNS, CLIENT, changed(DENY, from, to))).toEqual([
      'D19 broken NetworkPolicy web/deny-egress',
    ]);
  });

  it.each([
    { name: 'everybody', egress: '[{}]' },
    {
      name: 'a range of ports',
      egress: '[{ ports: [{ port: 1, endPort: 1024, protocol: UDP }, { port: 53, protocol: TCP }] }]',
    },
    {
      name: 'ports by name',
      egress: '[{ ports: [{ port: dns, protocol: UDP }, { port: dns-tcp, protocol: TCP }] }]',
    },
  ])('takes a rule for $name', async ({ egress }) => {
    const policy = changed(DENY, /egress:\n[\s\S]*/, `egress: ${egress}\n`);
    expect(await foundBy('D19', ...REDIRECTED, CLIENT, policy)).toEqual([]);
  });

  it('only warns of TCP, and of a cache on the host', async () => {
    const udp = changed(DENY, /egress:\n[\s\S]*/, 'egress: [{ ports: [{ port: 53, protocol: UDP }] }]\n');
    expect(await foundBy('D19', CLUSTER_DNS, CLIENT, udp)).toEqual([
      'D19 warning NetworkPolicy web/deny-egress',
    ]);
    const host = changed(POD_CACHE, 'hostNetwork: false', 'hostNetwork: true');
    expect(await foundBy('D19', CLUSTER_DNS, host, CLIENT, DENY)).toEqual([
      'D19 warning NetworkPolicy web/deny-egress',
    ]);
  });

  it('reads the policies of Cilium, denials first', async () => {
    const cilium = (spec: string) => `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: shop, namespace: web }
spec:
  endpointSelector: { matchLabels: { app: shop } }
${spec}`;
    const cache = '{ "k8s:io.kubernetes.pod.namespace": kube-system, k8s-app: node-local-dns }';
    const servers = '{ "k8s:io.kubernetes.pod.namespace": kube-system, k8s-app: kube-dns }';
    const open = `  egress: [{ toEndpoints: [{ matchLabels: ${cache} }, { matchLabels: ${servers} }] }]\n`;
    const closed = `  egress: [{ toEndpoints: [{ matchLabels: ${servers} }] }]\n`;
    const denied = `  egressDeny: [{ toEndpoints: [{ matchLabels: ${cache} }] }]\n`;
    const of = (spec: string) => foundBy('D19', ...REDIRECTED, CLIENT, cilium(spec));
    expect(await of(open)).toEqual([]);
    expect(await of('  egress: [{ toEntities: [cluster] }]\n')).toEqual([]);
    expect(await of(closed)).toEqual(['D19 broken CiliumNetworkPolicy web/shop']);
    const fixOf = async (spec: string) =>
      (await reportOf(...REDIRECTED, CLIENT, cilium(spec))).findings.find(({ id }) => id === 'D19')?.fix;
    const fix = (await fixOf(closed))?.text ?? '';
    expect(parse(fix)).toMatchObject({ spec: { endpointSelector: { matchLabels: { app: 'shop' } } } });
    expect(await foundBy('D19', ...REDIRECTED, CLIENT, cilium(closed), fix)).toEqual([]);
    expect(await fixOf(`${open}${denied}`)).toMatchObject({ kind: 'text' });
    expect(await of(`${open}${denied}`)).toContain('D19 broken CiliumNetworkPolicy web/shop');
    expect(await of('  egress: [{ toCIDR: [0.0.0.0/0] }]\n')).toContain(
      'D19 broken CiliumNetworkPolicy web/shop',
    );
  });
});

describe('d20', () => {
  const rules = (app: string) => `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: names, namespace: web }
spec:
  endpointSelector: {}
  egress:
    - toEndpoints: [{ matchLabels: { io.kubernetes.pod.namespace: kube-system, k8s-app: ${app} } }]
      toPorts: [{ ports: [{ port: "53", protocol: ANY }], rules: { dns: [{ matchPattern: "*" }] } }]
    - toFQDNs: [{ matchName: example.com }]
`;

  it('finds rules for names whose proxy is shown the cluster DNS only', async () => {
    const all = [...REDIRECTED, CILIUM];
    expect(await foundBy('D20', ...all, rules('kube-dns'))).toEqual([
      'D20 broken CiliumNetworkPolicy web/names',
    ]);
    expect(await foundBy('D20', ...all, rules('node-local-dns'))).toEqual([]);
    expect(await foundBy('D20', CLUSTER_DNS, rules('kube-dns'))).toEqual([]);
  });
});
