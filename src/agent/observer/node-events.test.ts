/** What an agent did, as Hubble's API tells it, between a scripted cluster and the fake kernel. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SAMPLE_CLUSTER } from '../../flow/testing/sample-cluster.ts';
import type { NodeEvent } from '../../hubble/event-messages.ts';
import { NodeBench, WITH_POLICY } from '../testing/node-bench.ts';

let bench: NodeBench;
let events: NodeEvent[] = [];
const abort = new AbortController();
beforeEach(() => {
  bench = new NodeBench();
  events = [];
});
afterEach(() => bench.end());

/** Takes what comes, from the agent's beginning on, until the agent ends. */
async function follow(): Promise<void> {
  const rows = bench.open().events('agent-events', { follow: true, number: 1000 }, abort.signal);
  (async () => {
    for await (const { agent_event: event } of rows) events.push(event as NodeEvent);
  })().catch(() => undefined);
}

const types = () => events.map(({ type }) => type);
/** Those of the type, whichever words it shares its shape with. */
type Of<E, T> = E extends { readonly type: infer U } ? (T extends U ? E : never) : never;
const of = <T extends NodeEvent['type']>(type: T) =>
  events.filter((event): event is NodeEvent & Of<NodeEvent, T> => event.type === type);

it('an agent tells that it began, which pods it hangs at, and what it redirects', async () => {
  await bench.start();
  await follow();
  await expect.poll(() => of('ENDPOINT_CREATED').length).toBe(3);
  expect(types()[0]).toBe('AGENT_STARTED');
  expect(of('ENDPOINT_CREATED').map(({ endpoint_update: told }) => told)).toContainEqual({
    ...{ id: '7', pod_name: 'netshoot', namespace: 'default' },
    labels: expect.arrayContaining(['k8s:io.kubernetes.pod.namespace=default']),
  });

  bench.snapshot.set(WITH_POLICY);
  await expect.poll(() => of('SERVICE_UPSERTED').length).toBe(2);
  expect(of('POLICY_UPDATED').at(-1)?.policy_update).toMatchObject({
    labels: expect.arrayContaining([
      'k8s:io.cilium.k8s.policy.name=nodelocaldns',
      'k8s:io.cilium.k8s.policy.namespace=kube-system',
    ]),
    rule_count: '2',
  });
  expect(of('SERVICE_UPSERTED')[0]?.service_upsert).toMatchObject({
    frontend_address: { ip: '10.96.0.10', port: 53 },
    backend_addresses: [{ ip: '172.20.1.9', port: 53 }],
    ...{ type: 'LocalRedirect', name: 'kube-dns', namespace: 'kube-system' },
  });

  bench.snapshot.set({ ...SAMPLE_CLUSTER, generation: 3, pods: new Map() });
  await expect.poll(() => of('ENDPOINT_DELETED').length).toBe(3);
  await expect.poll(() => of('SERVICE_DELETED').length).toBe(2);
  const upserted = of('SERVICE_UPSERTED').map(({ service_upsert: { id } }) => id);
  expect(of('SERVICE_DELETED').map(({ service_delete: { id } }) => id)).toEqual(upserted);
  expect(of('POLICY_DELETED').map(({ policy_update: { rule_count } }) => rule_count)).toEqual(['2']);
});

it('an agent tells what changed, and nothing of what stayed', async () => {
  bench.snapshot.set(WITH_POLICY);
  await bench.start({}, { observeOnly: true });
  await follow();
  await expect.poll(() => of('ENDPOINT_CREATED').length).toBe(3);
  const before = types();
  // Derived anew, and comes to the same.
  bench.snapshot.set({ ...WITH_POLICY, generation: 3, services: new Map(WITH_POLICY.services) });
  const pods = new Map([...WITH_POLICY.pods].filter(([key]) => key !== 'default/netshoot'));
  bench.snapshot.set({ ...WITH_POLICY, generation: 4, pods });
  await expect.poll(() => of('ENDPOINT_DELETED').length).toBe(1);
  expect(types().filter((type) => type.startsWith('POLICY'))).toEqual(['POLICY_UPDATED']);
  expect(types().filter((type) => type !== 'ENDPOINT_DELETED')).toEqual(before);
});
