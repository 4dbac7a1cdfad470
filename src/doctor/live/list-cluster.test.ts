/** An API server of which each kind answers in its own way: none of them may keep the others from being known. */
import { describe, expect, it } from 'vitest';
import { AppError } from '../../fault/app-error.ts';
import type { Query } from '../../kube/client.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { known } from '../site/known.ts';
import { CLUSTER_KINDS } from '../site/read-cluster.ts';
import { listCluster } from './list-cluster.ts';

const FINISHED = new AppError('KUBE_NOT_FOUND', 'Cannot GET: received 404');
const SHUT = new AppError('KUBE_FORBIDDEN', 'Cannot GET: pods is forbidden: received 403 Forbidden');

function clientOf(answer: (path: string, query: Query, signal?: AbortSignal) => unknown) {
  return {
    get: async (path: string, query: Query = {}, signal?: AbortSignal) => answer(path, query, signal),
  };
}

const patient = { clock: systemClock, timeoutMs: 5000 };

describe('listCluster', () => {
  it('takes every page, and gives each item the kind that its list has', async () => {
    const client = clientOf((path, { continue: token }) =>
      path === CLUSTER_KINDS.Service
        ? {
            kind: 'ServiceList',
            metadata: token === undefined ? { continue: 'next' } : {},
            items: [{ metadata: { name: token === undefined ? 'a' : 'b' } }],
          }
        : { kind: 'List', items: null },
    );
    const lists = await listCluster(client, patient);
    expect(lists.Service).toEqual(
      known([
        { kind: 'Service', metadata: { name: 'a' } },
        { kind: 'Service', metadata: { name: 'b' } },
      ]),
    );
    expect(lists.Pod).toEqual(known([]));
  });

  it('tells kinds that are not there from kinds that nobody may list, and from lists that are none', async () => {
    const client = clientOf((path) => {
      if (path === CLUSTER_KINDS.NetworkPolicy) throw FINISHED;
      if (path === CLUSTER_KINDS.Pod) throw SHUT;
      return path === CLUSTER_KINDS.Node ? { items: 7 } : { items: [] };
    });
    const lists = await listCluster(client, patient);
    expect(lists.NetworkPolicy).toEqual(known([]));
    expect(lists.Pod).toEqual({
      unknown: 'the API server does not let these credentials list it',
    });
    expect(lists.Node).toEqual({ unknown: "the API server's list of nodes is no list" });
  });

  it('waits no longer than it may for one that does not answer, and ends its request', async () => {
    let ended = false;
    const client = clientOf((path, _query, signal) => {
      if (path !== CLUSTER_KINDS.Pod) return { items: [] };
      signal?.addEventListener('abort', () => {
        ended = true;
      });
      return new Promise(() => undefined);
    });
    const lists = await listCluster(client, { clock: systemClock, timeoutMs: 50 });
    expect(lists.Pod).toEqual({ unknown: 'it took too long' });
    expect(lists.Service).toEqual(known([]));
    expect(ended).toBe(true);
  });

  it('does not go round for ever with a server that has ever another page', async () => {
    const client = clientOf(() => ({
      items: Array(500).fill({}),
      metadata: { continue: String(Math.random()) },
    }));
    expect((await listCluster(client, patient)).Pod).toEqual({ unknown: 'there are more than 20000 pods' });
  });
});
