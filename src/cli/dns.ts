/**
 * `zerohop dns`: CoreDNS's flags, in CoreDNS's style, in front of `serve`. Signals are caught first; everything else is
 * loaded after that.
 */
import { catchSignals } from '../serve/process/signals.ts';

const USAGE = `Usage: zerohop dns [FLAGS]

Serves DNS as a Corefile says. Without one, answers clients with their own address.

zerohop dns check [FILE] tells whether a Corefile is right, and zerohop dns explain FILE NAME [TYPE] which block and
which plugins would handle a question.`;

/** Words that look at a Corefile instead of serving it. */
const DRY_RUNS: ReadonlySet<string> = new Set(['check', 'explain']);

/** Ends the process itself once the server has stopped: nothing that lingers may keep it. */
export async function run(args: readonly string[]): Promise<number> {
  const [word = ''] = args;
  if (DRY_RUNS.has(word)) return (await import('./dns-dry-run.ts')).run(args);
  const signals = catchSignals();
  const [
    { answerAtOnce, cacheMemory, DNS_FLAGS, dnsPort, kernelAnswers, udpSettings },
    { startEarlyThreads },
    { parseGoFlags },
    { reportFatal },
  ] = await Promise.all([
    import('../serve/process/dns-flags.ts'),
    import('../serve/process/early-threads.ts'),
    import('../serve/process/go-flags.ts'),
    import('./report-fatal.ts'),
  ]);
  try {
    const flags = parseGoFlags(args, DNS_FLAGS);
    const text = await answerAtOnce(flags, { usage: USAGE, table: DNS_FLAGS });
    if (text !== undefined) {
      console.log(text);
      return 0;
    }
    const udp = udpSettings(flags);
    const fillsAnswerMap = kernelAnswers(flags);
    startEarlyThreads(udp);
    const { processEnvironment } = await import('../serve/process/process-environment.ts');
    const { runServer } = await import('../serve/process/run-server.ts');
    const { keepSmall } = await import('../serve/process/process-spare.ts');
    keepSmall();
    const environment = processEnvironment({
      defaultPort: dnsPort(flags),
      udp,
      cacheBytes: cacheMemory(flags),
    });
    const code = await runServer({
      conf: flags.text('conf'),
      pidfile: flags.text('pidfile'),
      quiet: flags.flag('quiet'),
      adminSocket: flags.text('admin-socket'),
      takeover: flags.text('takeover'),
      heartbeat: flags.text('heartbeat'),
      kernelAnswers: fillsAnswerMap,
      env: process.env,
      environment,
      signals,
    });
    environment.sink.flush();
    return process.exit(code);
  } catch (error) {
    return reportFatal(error);
  }
}
