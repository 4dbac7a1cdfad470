/** What an answer to a probe is worth. Its name is one that nobody has: a server that works says so, by NXDOMAIN. */
import type { ProbeTrail } from './agent-facts.ts';

/** The server itself says that it cannot answer: to the pod that is no better than silence. */
const FAILURES: readonly string[] = ['SERVFAIL', 'FORMERR', 'NOTIMP'];

type Answer = Pick<ProbeTrail, 'outcome' | 'rcode'>;

export function isServed({ outcome, rcode = '' }: Answer): boolean {
  return outcome === 'answered' && !FAILURES.includes(rcode);
}

/** The server works and does not want to: it has no such zone, or a rule about names that the probe's is not among. */
export function isRefusedByWord({ outcome, rcode }: Answer): boolean {
  return outcome === 'answered' && rcode === 'REFUSED';
}
