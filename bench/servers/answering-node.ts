/**
 * What of an agent kernel answers need, by itself: the programs at the pods' interfaces, the desk where a cache gets its
 * shelf, and the observer. `answering-node PIN-DIRECTORY HEARTBEAT-SOCKET ENTRIES`. Each line it reads is a wish (`Wish`),
 * which it answers with one of JSON when it is done: what there is now. Ends with its input.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { NodeHealth } from '../../src/agent/health/node-health.ts';
import { EMPTY_SNAPSHOT } from '../../src/cluster/snapshot.ts';
import type { DatapathSpec } from '../../src/datapath/datapath.ts';
import { ABI_VERSION, encodeConfig } from '../../src/datapath/kernel/abi.gen.ts';
import { openDatapath } from '../../src/datapath/open-datapath.ts';
import { PacketLog } from '../../src/flow/capture/packet-log.ts';
import { createFlowRecorder } from '../../src/flow/flow-recorder.ts';
import { createStore } from '../../src/store/store.ts';
import { openPinned } from '../../src/sys/bpf.ts';
import { BpfMap, u32Bytes } from '../../src/sys/bpf-map.ts';
import { systemClock as clock } from '../../src/telemetry/clock.ts';

/** Both stay as they were where nothing is said of them. */
export interface Wish {
  readonly spec?: DatapathSpec;
  /** Whether the programs tell of packets. */
  readonly flows?: boolean;
}

export interface NodeReport {
  readonly answered: number;
  readonly missed: number;
  readonly torn: number;
  readonly eventsLost: number;
  /** Of our programs, while the kernel counts. */
  readonly programNs: number;
  /** A cache has come and beats. */
  readonly isBeating: boolean;
  /** Pods whose queries may be answered. */
  readonly answeredPods: number;
  /** What the kernel has set aside for the maps of each shelf. */
  readonly shelfBytes: readonly number[];
}

const [pinDirectory = '', heartbeatSocket = '', entries = ''] = process.argv.slice(2);
const log = { info: () => undefined, warning: console.error, error: console.error };
const datapath = openDatapath({ pinDirectory, log, clock, answerEntries: Number(entries) });
const health = new NodeHealth({
  ...{ datapath, clock, log, heartbeatSocket },
  probe: false,
  random: Math.random,
});
const snapshot = createStore(EMPTY_SNAPSHOT);
const packets = new PacketLog();
const recorder = createFlowRecorder({ nodeName: 'bench', version: '0', snapshot, datapath, packets, clock });
recorder.start();
/** The observer is there in any case; without events it has nothing to do. */
const config = new BpfMap(openPinned(join(pinDirectory, `abi-${ABI_VERSION}`, 'maps', 'config')) ?? -1, {
  name: 'config',
  keySize: 4,
  valueSize: 4,
});

async function fulfil({ spec, flows }: Wish): Promise<NodeReport> {
  if (flows !== undefined) config.update(u32Bytes(0), encodeConfig({ listening: flows ? 1 : 0 }));
  if (spec !== undefined) await datapath.apply(spec);
  const counters = datapath.counters();
  return {
    answered: Number(counters.answered),
    missed: Number(counters.answersMissed),
    torn: Number(counters.answersTorn),
    eventsLost: Number(counters.eventsLost),
    programNs: datapath.programCosts().reduce((sum, { runNs }) => sum + Number(runNs), 0),
    isBeating: health.report().caches.some(({ state }) => state === 'beating'),
    answeredPods: datapath.interfaces().filter(({ answers }) => answers).length,
    shelfBytes: datapath.shelves().map(({ fds }) => fds.reduce((sum, fd) => sum + bytesOf(fd), 0)),
  };
}

/** As the kernel counts it, the map itself included. */
function bytesOf(fd: number): number {
  return Number(/^memlock:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]);
}

const lines = createInterface({ input: process.stdin });
let last = Promise.resolve();
lines.on('line', (line) => {
  last = last.then(async () => console.log(JSON.stringify(await fulfil(JSON.parse(line) as Wish))));
});
lines.on('close', () => {
  recorder.close();
  health.close();
  config.close();
  datapath.remove();
});
