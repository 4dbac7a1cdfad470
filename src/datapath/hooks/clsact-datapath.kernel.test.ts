/** The conformance suite with filters instead of links: what kernels before 6.6 have. Needs root. */
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { systemClock } from '../../telemetry/clock.ts';
import { openDatapath } from '../open-datapath.ts';
import { describeDatapath } from '../testing/conformance.ts';
import { silentLog, TestNetwork } from '../testing/test-network.ts';

let network: TestNetwork;
let directory: string;

beforeAll(() => {
  network = new TestNetwork('clsact');
  network.addPod('a', '172.20.0.10');
  network.addPod('b', '172.20.0.20');
  directory = join(network.mountBpffs(), 'node');
  network.enterNode();
});

afterAll(() => network.close());

function open(entries?: number): ReturnType<typeof openDatapath> {
  return openDatapath({
    ...{ pinDirectory: directory, log: silentLog, clock: systemClock, hookKind: 'clsact' },
    ...(entries === undefined ? {} : { answerEntries: entries }),
  });
}

describeDatapath('the kernel by clsact', () => ({
  open,
  reset: () => open().remove(),
  present: ['172.20.0.10', '172.20.0.20'],
  absent: '203.0.113.9',
}));
