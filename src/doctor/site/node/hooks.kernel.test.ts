/** Programs of somebody else on a pod's interface, and nobody's after they are gone. Needs root. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hangByFilter, NEXT } from '../../../datapath/testing/other-owner.ts';
import { TestNetwork, type TestPod } from '../../../datapath/testing/test-network.ts';
import { findInterface } from '../../../sys/interface.ts';
import { readHooks } from './hooks.ts';

let network: TestNetwork;
let pod: TestPod;

beforeAll(() => {
  network = new TestNetwork('doctor-hooks');
  pod = network.addPod('client', '172.20.0.20');
  network.enterNode();
});

afterAll(() => network.close());

function onInterfaces() {
  return readHooks({ directory: '/sys/fs/bpf/zh-test-none' }).filter(
    ({ place }) => !place.startsWith('cgroup '),
  );
}

test('readHooks names who hangs on the interface of a pod, with direction and priority', () => {
  expect(onInterfaces()).toEqual([]);
  const ifindex = findInterface(pod.ifname)?.ifindex ?? 0;
  hangByFilter({ ifindex, direction: 'in', priority: 7, handle: 1 }, { name: 'cni_from_pod', verdict: NEXT });
  expect(onInterfaces()).toMatchObject([
    {
      place: `${pod.ifname} ingress`,
      owners: [{ kind: 'clsact', name: 'cni_from_pod', direction: 'in', ahead: true, priority: 7 }],
    },
  ]);
  network.inNode('tc', 'qdisc', 'del', 'dev', pod.ifname, 'clsact');
  expect(onInterfaces()).toEqual([]);
});
