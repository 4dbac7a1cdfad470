/** What must hold of every table, whatever the cluster looks like. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { objectKey } from '../cluster/rows.ts';
import { derive } from './derive.ts';
import { listFrontends } from './list-frontends.ts';
import { sortByAge } from './order.ts';
import type { ServiceTable } from './table.ts';
import { clusters, NODE, type Objects, snapshotOf } from './testing/random-cluster.ts';

function table(objects: Objects): ServiceTable {
  return derive(snapshotOf(objects), { nodeName: NODE });
}

function redirected({ redirects, policies: states }: ServiceTable) {
  return [...redirects, ...states.flatMap((state) => state.frontends)].filter(
    ({ type }) => type === 'LocalRedirect',
  );
}

describe('derive, for every cluster', () => {
  it('never redirects a frontend to nothing', () => {
    fc.assert(
      fc.property(clusters, (objects) => {
        for (const { backends } of redirected(table(objects))) expect(backends.length).toBeGreaterThan(0);
      }),
    );
  });

  it('never takes a backend from another node, another namespace, another family or a pod that is not ready', () => {
    fc.assert(
      fc.property(clusters, (objects) => {
        for (const { backends, policy = '', address } of redirected(table(objects))) {
          for (const backend of backends) {
            const pod = objects.pods.find((row) => objectKey(row) === backend.pod);
            expect(pod).toMatchObject({ nodeName: NODE, ready: true, namespace: policy.split('/')[0] });
            expect(backend.address.includes(':')).toBe(address.includes(':'));
          }
        }
      }),
    );
  });

  it('never lets a policy have an address of a service without matching that service', () => {
    fc.assert(
      fc.property(clusters, (objects) => {
        const owned = new Set(objects.services.flatMap(({ clusterIPs }) => clusterIPs));
        for (const { address, service } of redirected(table(objects))) {
          expect(owned.has(address) && service.endsWith(':local-redirect')).toBe(false);
        }
      }),
    );
  });

  it('says the same whatever order the objects came in', () => {
    const shuffled = clusters.chain((objects) =>
      fc.tuple(
        fc.constant(objects),
        fc.record({
          services: fc.shuffledSubarray([...objects.services], { minLength: objects.services.length }),
          pods: fc.shuffledSubarray([...objects.pods], { minLength: objects.pods.length }),
          policies: fc.shuffledSubarray([...objects.policies], { minLength: objects.policies.length }),
          nodes: fc.constant(objects.nodes),
        }),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([objects, again]) => {
        expect(table(again)).toEqual(table(objects));
        expect(table(objects)).toEqual(table(objects));
      }),
    );
  });

  it('lists each frontend once and each policy once', () => {
    fc.assert(
      fc.property(clusters, (objects) => {
        const states = table(objects).policies;
        const tuples = listFrontends(snapshotOf(objects), table(objects)).map(
          ({ address, port, protocol }) => `${address} ${port} ${protocol}`,
        );
        expect(new Set(tuples).size).toBe(tuples.length);
        expect(states.map(({ policy }) => policy).sort()).toEqual(objects.policies.map(objectKey).sort());
      }),
    );
  });

  it('gives a reason to every policy that redirects nothing, and something to show for every active one', () => {
    fc.assert(
      fc.property(clusters, (objects) => {
        for (const { state, reason, frontends } of table(objects).policies) {
          expect(frontends.some(({ type }) => type === 'LocalRedirect')).toBe(state === 'active');
          if (state !== 'active') expect(reason).not.toBe('');
        }
      }),
    );
  });

  it('never lets a younger policy change what an older one has', () => {
    fc.assert(
      fc.property(clusters, (objects) => {
        const all = table(objects);
        const byAge = sortByAge(objects.policies);
        for (let count = 0; count < byAge.length; count++) {
          const older = table({ ...objects, policies: byAge.slice(0, count) });
          for (const state of older.policies) {
            expect(all.policies.find(({ policy }) => policy === state.policy)).toEqual(state);
          }
        }
      }),
    );
  });
});
