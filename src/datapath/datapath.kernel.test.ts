/** The conformance suite on the real thing: in a node's namespace, with pods behind veth pairs. Needs root. */
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { systemClock } from '../telemetry/clock.ts';
import { openDatapath } from './open-datapath.ts';
import { describeDatapath } from './testing/conformance.ts';
import { silentLog, TestNetwork } from './testing/test-network.ts';

let network: TestNetwork;
let directory: string;

beforeAll(() => {
  network = new TestNetwork('conform');
  network.addPod('a', '172.20.0.10');
  network.addPod('b', '172.20.0.20');
  directory = join(network.mountBpffs(), 'node');
  network.enterNode();
});

afterAll(() => network.close());

describeDatapath('the kernel', () => ({
  open: (entries) =>
    openDatapath({
      ...{ pinDirectory: directory, log: silentLog, clock: systemClock },
      ...(entries === undefined ? {} : { answerEntries: entries }),
    }),
  reset: () => openDatapath({ pinDirectory: directory, log: silentLog, clock: systemClock }).remove(),
  present: ['172.20.0.10', '172.20.0.20'],
  absent: '203.0.113.9',
}));
