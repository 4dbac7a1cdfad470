/**
 * Which paths a field mask may name. A flow is sent whole whatever the mask says, which is more than was asked for and
 * never less (spec hubble 6.4: the stock client's own mask leaves out what it then prints); whoever wants no more than the
 * fields named drops the others. A path that names nothing is a mistake, and said to be one.
 */
import { fieldPaths } from './grpc.ts';

/** Fields of Hubble's flow.Flow that this server never sets, so that `proto/` has no need of them; with all below them. */
const NEVER_SET = [
  ...['tunnel', 'file', 'ip_trace_id', 'debug_capture_point', 'extensions', 'aggregate', 'policy_log'],
  ...['l4.ICMPv4', 'l4.ICMPv6', 'l4.SCTP', 'l4.VRRP', 'l4.IGMP', 'l7.http', 'l7.kafka'],
] as const;

/** `l7.dns.qtypes` and `l4.TCP.flags.SYN` are the deepest. */
const DEPTH = 4;
const KNOWN: ReadonlySet<string> = new Set(fieldPaths('flow.Flow', DEPTH));

export function isFlowPath(path: string): boolean {
  return KNOWN.has(path) || NEVER_SET.some((never) => path === never || path.startsWith(`${never}.`));
}
