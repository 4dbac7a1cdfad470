/** Test support: `node test-agent.ts PIN-DIRECTORY SPEC` applies one spec and stays, so that a test can kill it. */
import { systemClock } from '../../telemetry/clock.ts';
import type { DatapathSpec } from '../datapath.ts';
import { openDatapath } from '../open-datapath.ts';

const [pinDirectory = '', spec = ''] = process.argv.slice(2);
const log = { info: console.error, warning: console.error, error: console.error };
const datapath = openDatapath({ pinDirectory, log, clock: systemClock });
await datapath.apply(JSON.parse(spec) as DatapathSpec);
datapath.onPackets({ packet: () => undefined, lost: () => undefined });
console.log('ready');
setInterval(() => undefined, 60_000);
