/** `zerohop dns`: CoreDNS's flags, in CoreDNS's style, in front of `serve`. */
import { answerAtOnce, DNS_FLAGS, dnsPort } from '../serve/process/dns-flags.ts';
import { parseGoFlags } from '../serve/process/go-flags.ts';
import { processEnvironment } from '../serve/process/process-environment.ts';
import { runServer } from '../serve/process/run-server.ts';
import { reportFatal } from './report-fatal.ts';

const USAGE = `Usage: zerohop dns [FLAGS]

Serves DNS as a Corefile says. Without one, answers clients with their own address.`;

/** Ends the process itself once the server has stopped: nothing that lingers may keep it. */
export async function run(args: readonly string[]): Promise<number> {
  try {
    const flags = parseGoFlags(args, DNS_FLAGS);
    const text = await answerAtOnce(flags, { usage: USAGE, table: DNS_FLAGS });
    if (text !== undefined) {
      console.log(text);
      return 0;
    }
    const environment = processEnvironment(dnsPort(flags));
    const code = await runServer({
      conf: flags.text('conf'),
      pidfile: flags.text('pidfile'),
      quiet: flags.flag('quiet'),
      env: process.env,
      environment,
    });
    environment.sink.flush();
    return process.exit(code);
  } catch (error) {
    return reportFatal(error);
  }
}
