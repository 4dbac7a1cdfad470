/** The cast of the fake cluster: what an ordinary shop asks, and a pod that asks for what must never be seen as markup. */
import type { WireFinding } from '../wire.ts';
import { type FakePod, podEndpoint } from './fake-cluster-source.ts';

const INSIDE = [
  'payments.shop.svc.cluster.local.',
  'cart.shop.svc.cluster.local.',
  'redis.shop.svc.cluster.local.',
];
const OUTSIDE = [
  'api.stripe.com.',
  'www.google.com.',
  'storage.googleapis.com.',
  'sentry.io.',
  'missing.example.org.',
];

export const HOSTILE_NAMES: readonly string[] = [
  '<img\\032src=x\\032onerror=alert(1)>.evil.example.',
  '<script>document.title="owned"</script>.evil.example.',
  '\u001b[31mred\u001b[0m.evil.example.',
  'safe\u202egro.live.example.',
  `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}.`,
];

function pod(
  options: Partial<FakePod> & {
    readonly ns: string;
    readonly name: string;
    readonly app: string;
    readonly index: number;
  },
): FakePod {
  const node = options.node ?? (options.index % 2 === 0 ? 'k8s-ctr' : 'k8s-w1');
  return {
    endpoint: podEndpoint(options.ns, options.name, options.app),
    address: `172.20.${node === 'k8s-ctr' ? 0 : 1}.${20 + options.index}`,
    node,
    rate: options.rate ?? 4,
    names: options.names ?? [...INSIDE, ...OUTSIDE],
    ...(options.leaves === undefined ? {} : { leaves: options.leaves }),
    ...(options.kernel === undefined ? {} : { kernel: options.kernel }),
  };
}

export const SAMPLE_PODS: readonly FakePod[] = [
  pod({ ns: 'shop', name: 'cart-6d4b7c8f9-x2x7k', app: 'cart', index: 0, rate: 42 }),
  pod({ ns: 'shop', name: 'checkout-5f7d9c6b4-lm8qz', app: 'checkout', index: 1, rate: 31, kernel: true }),
  pod({ ns: 'shop', name: 'payments-7c9f8d5b6-t4vwn', app: 'payments', index: 2, rate: 12 }),
  pod({ ns: 'batch', name: 'report-28411140-pk5dj', app: 'report', index: 3, rate: 9, leaves: 'bypassed' }),
  pod({ ns: 'shop', name: 'search-59b8c4dd7-9hx2r', app: 'search', index: 5, rate: 7 }),
  pod({ ns: 'monitoring', name: 'prometheus-0', app: 'prometheus', index: 4, rate: 5 }),
  pod({ ns: 'legacy', name: 'erp-0', app: 'erp', index: 6, rate: 2, leaves: 'fell-back' }),
  pod({
    ns: 'default',
    name: 'netshoot',
    app: 'netshoot',
    index: 7,
    rate: 0.6,
    names: [...HOSTILE_NAMES, 'broken.example.net.'],
  }),
];

export const SAMPLE_FINDINGS: readonly WireFinding[] = [
  {
    id: 'D01',
    severity: 'bypassed',
    title: 'No local redirect policy',
    node: 'k8s-w1',
    pod: 'batch/report-28411140-pk5dj',
    evidence: [
      '312 of 312 queries in the last minute went to coredns-7db6d8ff4d-ab12c',
      'No policy names the frontend for this pod',
    ],
    cause: 'No CiliumLocalRedirectPolicy selects the namespace batch',
    fix: { kind: 'command', text: 'kubectl -n kube-system apply -f nodelocaldns-lrp.yaml' },
  },
  {
    id: 'D09',
    severity: 'warning',
    title: 'The cache does not listen where the policy sends packets',
    node: 'k8s-ctr',
    pod: 'legacy/erp-0',
    evidence: ['fell back: no-socket, no socket is bound at any backend'],
    cause: 'The cache listens on 169.254.20.10 only, not on the address the policy sends packets to',
    fix: {
      kind: 'yaml',
      text: 'args:\n  - -localip=169.254.20.10,172.20.0.53\n  - -skipteardown=true\n  - -setupinterface=false',
    },
  },
];
