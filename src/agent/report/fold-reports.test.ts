import { describe, expect, it } from 'vitest';
import { foldReports, type NodeVoice } from './fold-reports.ts';
import type { PolicyReport } from './node-report.ts';

const DONE = { state: 'active', realised: 'done', reason: '' } as const;

function on(node: string, told?: Partial<PolicyReport>): NodeVoice {
  const report: PolicyReport = { policy: 'ns/p', uid: 'u', ...DONE, ...told };
  return { node, byUid: new Map(told === undefined ? [] : [[report.uid, report]]) };
}

function waiting(
  node: string,
  reason = `no pod of namespace ns on node ${node} matches app=cache`,
): NodeVoice {
  return on(node, { state: 'waiting', realised: 'none', reason });
}

const cases: readonly {
  name: string;
  nodes: readonly NodeVoice[];
  accepted: readonly string[];
  realised: readonly string[];
}[] = [
  {
    name: 'every node redirects',
    nodes: [on('b', DONE), on('a', DONE)],
    accepted: ['True', 'Valid'],
    realised: ['True', 'EverywhereRealised', 'realised on 2 of 2 nodes'],
  },
  {
    name: 'one node has no pod for it',
    nodes: [waiting('w2'), on('w1', DONE)],
    accepted: ['True', 'Valid'],
    realised: [
      'False',
      'PartlyRealised',
      'realised on 1 of 2 nodes; w2: no pod of namespace ns on node w2 matches app=cache',
    ],
  },
  {
    name: 'five nodes lag, three are named',
    nodes: ['e', 'd', 'c', 'b', 'a'].map((node) => waiting(node, 'not ready')),
    accepted: ['True', 'Valid'],
    realised: [
      'False',
      'NoBackend',
      'realised on 0 of 5 nodes; a: not ready; b: not ready; c: not ready; and 2 more',
    ],
  },
  {
    name: 'it is malformed: the reason names the port',
    nodes: [
      on('w1', {
        state: 'malformed',
        realised: 'none',
        reason: 'port "0" is not a port',
        code: 'POLICY_BAD_PORT',
      }),
    ],
    accepted: ['False', 'BadPort', 'port "0" is not a port'],
    realised: ['False', 'NotAccepted', 'realised on 0 of 1 nodes; w1: port "0" is not a port'],
  },
  {
    name: 'an older policy has its place',
    nodes: [
      on('w1', {
        state: 'conflict',
        realised: 'none',
        reason: '10.96.0.10:53/UDP belongs to the older policy ns/o',
      }),
    ],
    accepted: ['False', 'Conflict', '10.96.0.10:53/UDP belongs to the older policy ns/o'],
    realised: ['False', 'NotAccepted'],
  },
  {
    name: 'one node allows less than the others',
    nodes: [
      on('w1', DONE),
      on('w2', { state: 'malformed', realised: 'none', reason: 'r', code: 'POLICY_ADDRESS_NOT_ALLOWED' }),
    ],
    accepted: ['False', 'AddressNotAllowed', 'refused on 1 of 2 nodes, for example w2: r'],
    realised: ['False', 'PartlyRealised', 'realised on 1 of 2 nodes; w2: r'],
  },
  {
    name: 'it is being written, and one node has not told yet',
    nodes: [on('w1', { state: 'active', realised: 'pending' }), on('w2')],
    accepted: ['True', 'Valid'],
    realised: [
      'Unknown',
      'Progressing',
      'realised on 0 of 2 nodes; w1: is being written to the kernel; w2: has not told of it yet',
    ],
  },
  {
    name: 'a kernel refuses it',
    nodes: [on('w1', DONE), on('w2', { state: 'active', realised: 'error', reason: 'map is full' })],
    accepted: ['True', 'Valid'],
    realised: ['False', 'KernelRefused', 'realised on 1 of 2 nodes; w2: map is full'],
  },
  {
    name: 'nobody reports',
    nodes: [],
    accepted: ['Unknown', 'NoReports'],
    realised: ['Unknown', 'NoReports'],
  },
  {
    name: 'reports are about a policy of that name that was deleted',
    nodes: [on('w1', { uid: 'other' })],
    accepted: ['Unknown', 'NoReports'],
    realised: ['Unknown', 'Progressing'],
  },
];

describe('foldReports', () => {
  it.each(cases)('says what holds when $name', ({ nodes, accepted, realised }) => {
    const [first, second] = foldReports({ uid: 'u', nodes });
    expect([first.status, first.reason, first.message].slice(0, accepted.length)).toEqual(accepted);
    expect([second.status, second.reason, second.message].slice(0, realised.length)).toEqual(realised);
  });

  it('says the same whatever order the reports come in', () => {
    const nodes = [waiting('c'), on('a', DONE), on('b', DONE), waiting('d')];
    expect(foldReports({ uid: 'u', nodes: [...nodes].reverse() })).toEqual(foldReports({ uid: 'u', nodes }));
  });
});
