/** Verdicts on policies as users write them, among them the examples of the Kubernetes documentation on network policies. */
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { convertNetworkPolicy } from '../../kube/convert/convert-network-policy.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { type Port, toPort } from '../../net/port.ts';
import { type ClosingPolicy, compilePolicy } from '../../policy/egress/closing-policy.ts';
import type { EgressBackend, EgressTarget } from '../../policy/egress/egress-target.ts';
import { egressVerdict, explainClosed } from '../../policy/egress/egress-verdict.ts';

function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`no address: ${text}`);
  return parsed;
}
function port(value: number): Port {
  const parsed = toPort(value);
  if (parsed === undefined) throw new Error(`no port: ${value}`);
  return parsed;
}

const CACHE: EgressBackend = {
  address: ip('172.20.1.9'),
  port: port(53),
  pod: {
    namespace: 'kube-system',
    labels: { 'k8s-app': 'node-local-dns', tier: 'node' },
    namespaceLabels: { 'kubernetes.io/metadata.name': 'kube-system', team: 'platform' },
    ports: [{ name: 'dns', port: port(53) }],
  },
};
const DNS: EgressTarget = { address: ip('10.96.0.10'), port: port(53), backends: [CACHE] };
const POD = { app: 'web', role: 'front' };

/** Specs of policies in the pod's namespace `blue`, named a, b, ... */
function policies(...specs: readonly string[]): readonly ClosingPolicy[] {
  return specs.flatMap((spec, index) => {
    const metadata = { name: String.fromCharCode(97 + index), namespace: 'blue' };
    const converted = convertNetworkPolicy({ metadata, spec: parse(spec) });
    if (!converted.ok) throw new Error(converted.reason);
    return converted.value === undefined ? [] : [compilePolicy(converted.value)];
  });
}

const verdict = (specs: readonly string[], targets: readonly EgressTarget[] = [DNS]) =>
  egressVerdict(POD, policies(...specs), targets);
const isAllowed = (egress: string, targets?: readonly EgressTarget[]) =>
  verdict([`{ podSelector: {}, policyTypes: [Egress], egress: ${egress} }`], targets).allowed;

describe('egressVerdict on the examples of the documentation', () => {
  it.each([
    { name: 'no policy', specs: [], allowed: true },
    {
      name: 'default deny of ingress alone',
      specs: ['{ podSelector: {}, policyTypes: [Ingress] }'],
      allowed: true,
    },
    { name: 'default deny of egress', specs: ['{ podSelector: {}, policyTypes: [Egress] }'], allowed: false },
    {
      name: 'default allow of egress',
      specs: ['{ podSelector: {}, egress: [{}], policyTypes: [Egress] }'],
      allowed: true,
    },
    {
      name: 'default deny of both',
      specs: ['{ podSelector: {}, policyTypes: [Ingress, Egress] }'],
      allowed: false,
    },
    {
      name: 'a policy of other pods',
      specs: ['{ podSelector: { matchLabels: { role: db } }, policyTypes: [Ingress, Egress] }'],
      allowed: true,
    },
    {
      name: 'a database that may send to one range, by TCP',
      specs: [
        `
podSelector: { matchLabels: { app: web } }
policyTypes: [Ingress, Egress]
egress:
  - to: [{ ipBlock: { cidr: 10.0.0.0/24 } }]
    ports: [{ protocol: TCP, port: 5978 }]`,
      ],
      allowed: false,
    },
    {
      name: 'a range of ports',
      specs: [
        `
podSelector: { matchLabels: { role: front } }
policyTypes: [Egress]
egress:
  - to: [{ ipBlock: { cidr: 10.0.0.0/8 } }]
    ports: [{ protocol: TCP, port: 32000, endPort: 32768 }]`,
      ],
      allowed: false,
    },
    {
      name: 'several namespaces by their names',
      specs: [
        `
podSelector: { matchLabels: { app: web } }
policyTypes: [Egress]
egress:
  - to:
      - namespaceSelector:
          matchExpressions:
            - { key: kubernetes.io/metadata.name, operator: In, values: [frontend, kube-system] }`,
      ],
      allowed: true,
    },
    {
      name: 'policies that add up',
      specs: [
        '{ podSelector: {}, policyTypes: [Egress] }',
        '{ podSelector: {}, policyTypes: [Egress], egress: [{ ports: [{ protocol: UDP, port: 53 }] }] }',
      ],
      allowed: true,
    },
    {
      name: 'an opening that is another pod’s',
      specs: [
        '{ podSelector: {}, policyTypes: [Egress] }',
        '{ podSelector: { matchLabels: { role: db } }, policyTypes: [Egress], egress: [{}] }',
      ],
      allowed: false,
    },
  ])('$name', ({ specs, allowed }) => {
    expect(verdict(specs).allowed).toBe(allowed);
  });
});

describe('egressVerdict on ports', () => {
  it.each([
    { open: '[{ protocol: UDP, port: 53 }]', allowed: true },
    { open: '[{ protocol: TCP, port: 443 }, { protocol: UDP, port: 53 }]', allowed: true },
    { open: '[{ protocol: TCP, port: 53 }]', allowed: false },
    { open: '[{ port: 53 }]', allowed: false },
    { open: '[{ protocol: UDP }]', allowed: true },
    { open: '[{ protocol: UDP, port: 50, endPort: 53 }]', allowed: true },
    { open: '[{ protocol: UDP, port: 53, endPort: 53 }]', allowed: true },
    { open: '[{ protocol: UDP, port: 54, endPort: 60 }]', allowed: false },
    { open: '[{ protocol: UDP, port: dns }]', allowed: true },
    { open: '[{ protocol: UDP, port: domain }]', allowed: false },
    { open: '[]', allowed: true },
  ])('$open: $allowed', ({ open, allowed }) => {
    expect(isAllowed(`[{ ports: ${open} }]`)).toBe(allowed);
  });

  const translated = { ...DNS, backends: [{ ...CACHE, port: port(5353) }] };

  it('asks for both where frontend and backend differ', () => {
    expect(isAllowed('[{ ports: [{ protocol: UDP, port: 53 }] }]', [translated])).toBe(false);
    expect(isAllowed('[{ ports: [{ protocol: UDP, port: 5353 }] }]', [translated])).toBe(false);
    const both = '[{ protocol: UDP, port: 53 }, { protocol: UDP, port: 5353 }]';
    expect(isAllowed(`[{ ports: ${both} }]`, [translated])).toBe(true);
  });

  it('takes a name for the port that a container of the backend has under it, and only for that', () => {
    expect(isAllowed('[{ ports: [{ protocol: UDP, port: dns }] }]', [translated])).toBe(false);
    const unnamed = { ...DNS, backends: [{ address: CACHE.address, port: CACHE.port }] };
    expect(isAllowed('[{ ports: [{ protocol: UDP, port: dns }] }]', [unnamed])).toBe(false);
  });
});

describe('egressVerdict on peers', () => {
  const cache = '{ matchLabels: { k8s-app: node-local-dns } }';
  const system = '{ matchLabels: { kubernetes.io/metadata.name: kube-system } }';
  it.each([
    { to: '[]', allowed: true },
    { to: '[{ namespaceSelector: {} }]', allowed: true },
    { to: `[{ namespaceSelector: ${system}, podSelector: ${cache} }]`, allowed: true },
    { to: `[{ namespaceSelector: ${system} }, { podSelector: { matchLabels: { a: b } } }]`, allowed: true },
    {
      to: `[{ namespaceSelector: ${system}, podSelector: { matchLabels: { k8s-app: kube-dns } } }]`,
      allowed: false,
    },
    { to: `[{ namespaceSelector: { matchLabels: { team: shop } }, podSelector: ${cache} }]`, allowed: false },
    // Of the policy's own namespace.
    { to: `[{ podSelector: ${cache} }]`, allowed: false },
    { to: '[{ podSelector: {} }]', allowed: false },
    { to: '[{ ipBlock: { cidr: 0.0.0.0/0 } }]', allowed: true },
    // A network may hold it against the address before the translation, or behind it.
    { to: '[{ ipBlock: { cidr: 10.96.0.10/32 } }]', allowed: false },
    { to: '[{ ipBlock: { cidr: 172.20.0.0/16 } }]', allowed: false },
    {
      to: '[{ ipBlock: { cidr: 10.96.0.10/32 } }, { ipBlock: { cidr: 172.20.0.0/16 } }]',
      allowed: true,
    },
    {
      to: '[{ ipBlock: { cidr: 172.20.0.0/16 } }, { ipBlock: { cidr: 0.0.0.0/0, except: [172.20.1.9/32] } }]',
      allowed: true,
    },
    { to: '[{ ipBlock: { cidr: 192.168.0.0/16 } }]', allowed: false },
    { to: '[{ ipBlock: { cidr: "::/0" } }]', allowed: false },
    { to: '[{ ipBlock: { cidr: 0.0.0.0/0, except: [10.0.0.0/8] } }]', allowed: false },
    { to: '[{ ipBlock: { cidr: 0.0.0.0/0, except: [172.20.1.0/24] } }]', allowed: false },
    { to: '[{ ipBlock: { cidr: 0.0.0.0/0, except: [169.254.0.0/16] } }]', allowed: true },
  ])('$to: $allowed', ({ to, allowed }) => {
    expect(isAllowed(`[{ to: ${to} }]`)).toBe(allowed);
  });

  it('opens both addresses by two rules, each with the port that is asked for there', () => {
    const second = (
      port: number,
    ) => `[{ to: [{ ipBlock: { cidr: 10.96.0.10/32 } }], ports: [{ protocol: UDP, port: 53 }] },
      { to: [{ ipBlock: { cidr: 172.20.1.9/32 } }], ports: [{ protocol: UDP, port: ${port} }] }]`;
    expect([isAllowed(second(53)), isAllowed(second(5353))]).toEqual([true, false]);
    const elsewhere = { ...DNS, backends: [{ ...CACHE, port: port(5353) }] };
    expect([isAllowed(second(53), [elsewhere]), isAllowed(second(5353), [elsewhere])]).toEqual([false, true]);
  });

  it('opens nothing by peers and ports of different rules', () => {
    const rules = `[{ to: [{ namespaceSelector: {} }], ports: [{ protocol: TCP, port: 53 }] },
      { to: [{ ipBlock: { cidr: 192.0.2.0/24 } }], ports: [{ protocol: UDP, port: 53 }] }]`;
    expect(isAllowed(rules)).toBe(false);
  });

  it('does not know what selectors say of a pod on the host’s network, or of one whose namespace is not known', () => {
    const host = { ...DNS, backends: [{ address: ip('169.254.20.10'), port: port(53) }] };
    expect(isAllowed('[{ to: [{ namespaceSelector: {} }] }]', [host])).toBe(false);
    expect(isAllowed('[{ to: [{ ipBlock: { cidr: 169.254.20.10/32 } }] }]', [host])).toBe(false);
    expect(isAllowed('[{ to: [{ ipBlock: { cidr: 0.0.0.0/0 } }] }]', [host])).toBe(true);
    const { namespaceLabels: _, ...pod } = CACHE.pod ?? { namespace: '', labels: {}, ports: [] };
    const unknown = { ...DNS, backends: [{ ...CACHE, pod }] };
    expect(isAllowed('[{ to: [{ namespaceSelector: {} }] }]', [unknown])).toBe(false);
  });
});

describe('egressVerdict on selectors', () => {
  it.each([
    { selector: '{ matchExpressions: [{ key: app, operator: In, values: [web, api] }] }', selected: true },
    { selector: '{ matchExpressions: [{ key: app, operator: NotIn, values: [web] }] }', selected: false },
    { selector: '{ matchExpressions: [{ key: zone, operator: NotIn, values: [a] }] }', selected: true },
    { selector: '{ matchExpressions: [{ key: role, operator: Exists }] }', selected: true },
    { selector: '{ matchExpressions: [{ key: role, operator: DoesNotExist }] }', selected: false },
    {
      selector: '{ matchLabels: { app: web }, matchExpressions: [{ key: zone, operator: Exists }] }',
      selected: false,
    },
    { selector: '{ matchLabels: { constructor: x } }', selected: false },
    // What means nothing may mean this pod.
    { selector: '{ matchExpressions: [{ key: app, operator: Like, values: [x] }] }', selected: true },
    { selector: '{ matchLabels: { app: 7 } }', selected: true },
    { selector: 'web', selected: true },
  ])('$selector selects the pod: $selected', ({ selector, selected }) => {
    expect(verdict([`{ podSelector: ${selector}, policyTypes: [Egress] }`]).allowed).toBe(!selected);
  });

  it('opens nothing by a policy of which nobody knows whom it selects, or a peer that means nothing', () => {
    expect(verdict(['{ podSelector: web, policyTypes: [Egress], egress: [{}] }']).allowed).toBe(false);
    const peer = '{ matchExpressions: [{ key: app, operator: Like, values: [x] }] }';
    expect(isAllowed(`[{ to: [{ namespaceSelector: ${peer} }] }]`)).toBe(false);
  });
});

describe('egressVerdict on several targets', () => {
  const second: EgressBackend = { address: ip('172.20.1.10'), port: port(53) };

  it('asks for every backend that may get the query, and for every frontend', () => {
    const open = '[{ to: [{ ipBlock: { cidr: 172.20.1.9/32 } }, { ipBlock: { cidr: 10.96.0.0/16 } }] }]';
    expect(isAllowed(open)).toBe(true);
    expect(isAllowed(open, [{ ...DNS, backends: [CACHE, second] }])).toBe(false);
    expect(isAllowed(open, [DNS, { ...DNS, address: ip('10.96.0.11'), backends: [second] }])).toBe(false);
  });

  it('says who closes the pod, and to what', () => {
    const closed = verdict(['{ policyTypes: [Egress] }', '{ policyTypes: [Egress] }']);
    if (closed.allowed) throw new Error('allowed');
    expect(explainClosed(closed)).toBe(
      'network policies blue/a, blue/b do not plainly allow UDP to 10.96.0.10:53',
    );
    const idle = verdict(['{ policyTypes: [Egress], egress: [{}] }'], []);
    if (idle.allowed) throw new Error('allowed');
    expect(explainClosed(idle)).toBe(
      'network policy blue/a closes its egress, and no redirected frontend is known',
    );
  });
});
