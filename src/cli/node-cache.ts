/** `zerohop node-cache`: the flags of NodeLocal DNSCache's binary in front of `nodecache`. */
import { NODE_CACHE_FLAGS, nodeCacheSpec } from '../nodecache/flags.ts';
import { runNodeCache } from '../nodecache/run-node-cache.ts';
import { answerAtOnce } from '../serve/process/dns-flags.ts';
import { parseGoFlags } from '../serve/process/go-flags.ts';
import { processEnvironment } from '../serve/process/process-environment.ts';
import { reportFatal } from './report-fatal.ts';

const USAGE = `Usage: zerohop node-cache -localip ADDRESSES -conf COREFILE [FLAGS]

Writes COREFILE from its template and serves DNS as it says, on this node. Pass -setupinterface=false
-setupiptables=false -skipteardown=true: interface and rules are not made; a local redirect policy brings the queries.`;

/** Ends the process itself once the server has stopped: nothing that lingers may keep it. */
export async function run(args: readonly string[]): Promise<number> {
  try {
    const flags = parseGoFlags(args, NODE_CACHE_FLAGS);
    const text = await answerAtOnce(flags, { usage: USAGE, table: NODE_CACHE_FLAGS });
    if (text !== undefined) {
      console.log(text);
      return 0;
    }
    const spec = nodeCacheSpec(flags);
    const environment = processEnvironment(spec.port);
    const code = await runNodeCache({ spec, env: process.env, environment });
    environment.sink.flush();
    return process.exit(code);
  } catch (error) {
    return reportFatal(error);
  }
}
