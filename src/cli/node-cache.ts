/**
 * `zerohop node-cache`: the flags of NodeLocal DNSCache's binary in front of `nodecache`. Signals are caught first;
 * everything else is loaded after that.
 */
import { catchSignals } from '../serve/process/signals.ts';
import { systemClock } from '../telemetry/clock.ts';

const USAGE = `Usage: zerohop node-cache -localip ADDRESSES -conf COREFILE [FLAGS]

Writes COREFILE from its template, makes an interface that has ADDRESSES, serves DNS as COREFILE says and adds packet
filter rules that keep these queries out of connection tracking. Where a local redirect policy brings the queries, pass
-setupinterface=false -setupiptables=false -skipteardown=true.`;

/** Ends the process itself once the server has stopped: nothing that lingers may keep it. */
export async function run(args: readonly string[]): Promise<number> {
  const signals = catchSignals();
  const [
    { NODE_CACHE_FLAGS, nodeCacheSpec },
    { answerAtOnce, cacheMemory, udpSettings },
    { startEarlyThreads },
    { parseGoFlags },
    { reportFatal },
  ] = await Promise.all([
    import('../nodecache/flags.ts'),
    import('../serve/process/dns-flags.ts'),
    import('../serve/process/early-threads.ts'),
    import('../serve/process/go-flags.ts'),
    import('./report-fatal.ts'),
  ]);
  try {
    const flags = parseGoFlags(args, NODE_CACHE_FLAGS);
    const text = await answerAtOnce(flags, { usage: USAGE, table: NODE_CACHE_FLAGS });
    if (text !== undefined) {
      console.log(text);
      return 0;
    }
    const spec = nodeCacheSpec(flags);
    const udp = udpSettings(flags);
    startEarlyThreads(udp);
    const { processEnvironment } = await import('../serve/process/process-environment.ts');
    const { runNodeCache } = await import('../nodecache/run-node-cache.ts');
    const { keepSmall } = await import('../serve/process/process-spare.ts');
    keepSmall();
    const environment = processEnvironment({
      defaultPort: spec.port,
      udp,
      cacheBytes: cacheMemory(flags),
    });
    const code = await runNodeCache({ spec, env: process.env, environment, signals });
    environment.sink.flush();
    return process.exit(code);
  } catch (error) {
    const { createStampedLog, endOnWrongFlags } = await import('../nodecache/stamped-log.ts');
    endOnWrongFlags(
      error,
      createStampedLog((line) => void process.stderr.write(line), systemClock),
    );
    return reportFatal(error);
  }
}
