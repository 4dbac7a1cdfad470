/**
 * The agent's observer by itself: the kernel's programs at the pods' interfaces, and what takes the packets they tell of.
 * `observer PIN-DIRECTORY SPEC on|off`; `off` takes none. Each line it reads it answers with one of JSON: what it holds and
 * what the programs cost. Ends with its input.
 */
import { createInterface } from 'node:readline';
import { EMPTY_SNAPSHOT } from '../../src/cluster/snapshot.ts';
import type { DatapathSpec } from '../../src/datapath/datapath.ts';
import { openDatapath } from '../../src/datapath/open-datapath.ts';
import { PacketLog } from '../../src/flow/capture/packet-log.ts';
import { createFlowRecorder } from '../../src/flow/flow-recorder.ts';
import { createStore } from '../../src/store/store.ts';
import { systemClock as clock } from '../../src/telemetry/clock.ts';

const [pinDirectory = '', spec = '', wanted = ''] = process.argv.slice(2);
const log = { info: console.error, warning: console.error, error: console.error };
const datapath = openDatapath({ pinDirectory, log, clock });
await datapath.apply(JSON.parse(spec) as DatapathSpec);
const packets = new PacketLog();
const snapshot = createStore(EMPTY_SNAPSHOT);
const recorder = createFlowRecorder({ nodeName: 'bench', version: '0', snapshot, datapath, packets, clock });
if (wanted === 'on') recorder.start();
const lines = createInterface({ input: process.stdin });
lines.on('line', () => {
  const programNs = datapath.programCosts().reduce((sum, { runNs }) => sum + Number(runNs), 0);
  const { eventsLost } = datapath.counters();
  const answers = recorder.counters.latencyCounts.reduce((sum, count) => sum + count, 0);
  const { next, flowsEver } = packets;
  console.log(
    JSON.stringify({ programNs, packets: next, flows: flowsEver, answers, lost: Number(eventsLost) }),
  );
});
lines.on('close', () => {
  recorder.close();
  datapath.close();
});
