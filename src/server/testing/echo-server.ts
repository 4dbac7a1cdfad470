/** For tests: a listener on port 53 of every address, as its own process, for namespaces that vitest is not in. */
import { name } from '../../dns/testing/packets.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { startListener } from '../listen.ts';
import { memoryLog } from './log.ts';
import { countingHandler } from './replies.ts';

await startListener({
  port: 53,
  server: 'dns://:53',
  routes: [{ zones: [name('.')], handler: countingHandler }],
  log: memoryLog(),
  clock: systemClock,
});
console.log('listening');
