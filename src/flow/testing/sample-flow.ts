/** Flows made by hand for tests: the cast of the examples in spec hubble 3.1. */
import type { Endpoint, Flow } from '../api.ts';

export const CART: Endpoint = { identity: 21873, namespace: 'shop', pod_name: 'cart-6d4b7c8f9-x2x7k' };
export const CACHE: Endpoint = {
  identity: 51200,
  namespace: 'kube-system',
  pod_name: 'node-local-dns-9kq2t',
};
export const COREDNS: Endpoint = {
  identity: 40213,
  namespace: 'kube-system',
  pod_name: 'coredns-7db6d8ff4d-ab12c',
};
export const KUBE_DNS = { name: 'kube-dns', namespace: 'kube-system' };

/** A UDP query of the cart to the cache, leaving the cart; `fields` say what is different. */
export function sampleFlow(fields: Partial<Flow> = {}): Flow {
  return {
    time: '2026-03-03T10:00:00.014Z',
    uuid: '7c0b4f3a-0000-4000-8000-000000000000',
    verdict: 'FORWARDED',
    IP: { source: '10.244.1.23', destination: '10.244.1.9', ipVersion: 'IPv4' },
    l4: { UDP: { source_port: 41022, destination_port: 53 } },
    source: CART,
    destination: CACHE,
    Type: 'L3_L4',
    node_name: 'worker-1',
    event_type: { type: 4, sub_type: 5 },
    is_reply: false,
    Summary: 'UDP',
    ...fields,
  };
}

/** `fields` without `is_reply` at all, which says that nobody knows. */
export function withoutReply(fields: Partial<Flow> = {}): Flow {
  const { is_reply: _, ...flow } = sampleFlow(fields);
  return flow;
}
