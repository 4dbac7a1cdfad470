import { describe, expect, test } from 'vitest';
import type { NamespaceRow, PodRow, RedirectWish } from '../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT } from '../cluster/snapshot.ts';
import { parseIp } from '../net/ip.ts';
import { WantedState } from './wanted-state.ts';

const NODE = 'w1';
const TABLE = { generation: 1, redirects: [], policies: [] };

function pod(name: string, redirect?: RedirectWish): PodRow {
  const ip = parseIp('10.0.0.1');
  return {
    ...{
      namespace: 'blue',
      name,
      uid: name,
      createdAtMs: 0,
      nodeName: NODE,
      podIPs: ip === undefined ? [] : [ip],
    },
    ...{ hostNetwork: false, phase: 'Running', ready: true, deleting: false, labels: {}, containerPorts: [] },
    ...(redirect === undefined ? {} : { redirect }),
  };
}

function snapshot(generation: number, pods: readonly PodRow[], wish?: RedirectWish): ClusterSnapshot {
  const namespace: NamespaceRow = {
    ...{ namespace: '', name: 'blue', uid: 'blue', createdAtMs: 0, labels: {} },
    ...(wish === undefined ? {} : { redirect: wish }),
  };
  return {
    ...EMPTY_SNAPSHOT,
    generation,
    synced: new Set(['pods', 'namespaces']),
    pods: new Map(pods.map((row) => [`${row.namespace}/${row.name}`, row])),
    namespaces: new Map([['/blue', namespace]]),
  };
}

describe('WantedState says of each pod', () => {
  test.each([
    { name: 'nothing where nobody says anything', pods: [pod('a')], wish: undefined, expected: {} },
    {
      name: 'that it is permitted',
      pods: [pod('a', 'permit')],
      wish: undefined,
      expected: { permitted: true },
    },
    { name: 'what its namespace says', pods: [pod('a')], wish: 'permit', expected: { permitted: true } },
    { name: 'a no before a yes', pods: [pod('a', 'permit')], wish: 'deny', expected: { observeOnly: true } },
  ] as const)('$name', ({ pods, wish, expected }) => {
    const [found] = new WantedState(NODE).update(snapshot(1, pods, wish), TABLE, 0).pods;
    expect(found).toEqual({ pod: 'blue/a', addresses: ['10.0.0.1'], ...expected });
  });

  test('what its namespace says later, and keeps the spec where that changes nothing', () => {
    const wanted = new WantedState(NODE);
    const row = pod('a');
    const before = wanted.update(snapshot(1, [row]), TABLE, 0);
    expect(wanted.update(snapshot(2, [row]), TABLE, 0)).toBe(before);
    const after = wanted.update(snapshot(3, [row], 'deny'), TABLE, 0);
    expect(after.pods).toMatchObject([{ observeOnly: true }]);
    expect(wanted.update(snapshot(4, [row], 'deny'), TABLE, 0)).toBe(after);
  });

  test('that all are permitted where the operator says so', () => {
    const [found] = new WantedState(NODE, 'all').update(snapshot(1, [pod('a')]), TABLE, 0).pods;
    expect(found).toMatchObject({ permitted: true });
  });

  test.each(['annotated', 'all'] as const)('nothing before namespaces are listed (%s)', (rule) => {
    const wanted = new WantedState(NODE, rule);
    const whole = snapshot(1, [pod('a')], 'deny');
    const early = { ...whole, namespaces: new Map(), synced: new Set(['pods'] as const) };
    expect(wanted.update(early, TABLE, 0)).toMatchObject({ pods: [], mayPrune: false });
    const later = {
      ...whole,
      generation: 2,
      changed: new Map([['namespaces', new Set(['/blue'])]] as const),
    };
    expect(wanted.update(later, TABLE, 0).pods).toMatchObject([{ pod: 'blue/a', observeOnly: true }]);
  });

  test('to look only while its own namespace has not been heard of', () => {
    const wanted = new WantedState(NODE, 'all');
    const whole = snapshot(1, [pod('a')]);
    const [early] = wanted.update({ ...whole, namespaces: new Map() }, TABLE, 0).pods;
    expect(early).toMatchObject({ observeOnly: true });
    const [known] = wanted.update({ ...whole, generation: 2 }, TABLE, 0).pods;
    expect(known).toEqual({ pod: 'blue/a', addresses: ['10.0.0.1'], permitted: true });
  });
});
