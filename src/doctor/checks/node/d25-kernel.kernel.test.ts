/** The kernel of this machine, an older one as it would tell of itself, and a filter of somebody else behind ours. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { known } from '../../site/known.ts';
import { RealNode } from '../../testing/real-node.ts';
import { d25 } from './d25-kernel.ts';

let node: RealNode;

beforeAll(() => {
  node = new RealNode('d25');
});

afterAll(() => node.close());

const ALL = { btf: true, cgroup2: true, bpfLink: true, tcx: true, netkit: false, socketCookieOfNetns: true };

test('nothing is wrong with the kernel that the tests run on', async () => {
  expect(await node.findings(d25)).toEqual([]);
});

test.each([
  {
    name: 'one before 5.10',
    over: { kernel: known({ release: '5.4.0-1', features: ALL }) },
    severity: 'warning',
  },
  {
    name: 'one without cgroup v2',
    over: { kernel: known({ release: '6.1.0', features: { ...ALL, cgroup2: false } }) },
    severity: 'warning',
  },
  {
    name: 'one without links',
    over: { kernel: known({ release: '5.10.9', features: { ...ALL, bpfLink: false } }) },
    severity: 'info',
  },
  {
    name: 'pods on netkit',
    over: { interfaces: known([{ name: 'lxc1', ifindex: 9, kind: 'netkit', up: true, addresses: [] }]) },
    severity: 'warning',
  },
  {
    name: 'an owner that runs after ours',
    over: {
      hooks: known([
        {
          place: 'v0 ingress',
          owners: (['zerohop', 'cil_from_container'] as const).map((name, id) => ({
            kind: 'tcx' as const,
            name,
            id,
            direction: 'in' as const,
            ahead: false,
          })),
        },
      ]),
    },
    severity: 'info',
  },
])('finds $name', async ({ over, severity }) => {
  expect(await node.findings(d25, { facts: over })).toMatchObject([{ id: 'D25', severity }]);
});
