/**
 * The faults, in rounds: those of one round are built together and mended together, because each look at the lab is a run of
 * the command and costs seconds. What would hide another, or needs the lab for itself, has a round of its own.
 */
import { d19 } from './access/d19-network-policy.fault.ts';
import { d20 } from './access/d20-name-policy.fault.ts';
import { d09 } from './corefile/d09-upstream-loop.fault.ts';
import { d10 } from './corefile/d10-placeholders.fault.ts';
import { d17 } from './corefile/d17-cache-memory.fault.ts';
import { d18 } from './corefile/d18-negative-ttl.fault.ts';
import { d11 } from './flows/d11-upstreams-answer.fault.ts';
import { d12 } from './flows/d12-search-misses.fault.ts';
import { d13 } from './flows/d13-paired-queries.fault.ts';
import { d14 } from './flows/d14-truncated.fault.ts';
import { d15 } from './flows/d15-felt-latency.fault.ts';
import { d16 } from './flows/d16-retries.fault.ts';
import { d23 } from './flows/d23-resolver-limit.fault.ts';
import { d03 } from './node/d03-ipvs-address.fault.ts';
import { d04 } from './node/d04-notrack-rules.fault.ts';
import { d05 } from './node/d05-late-rules.fault.ts';
import { d06 } from './node/d06-left-over.fault.ts';
import { d07 } from './node/d07-conntrack.fault.ts';
import { d08 } from './node/d08-duplicate-rules.fault.ts';
import { d22 } from './node/d22-ports.fault.ts';
import { d25 } from './node/d25-kernel.fault.ts';
import { d01 } from './path/d01-probe-arrives.fault.ts';
import { d02, d02FellBack } from './path/d02-who-rewrote.fault.ts';
import { d21 } from './pods/d21-dns-policy.fault.ts';
import { d24 } from './pods/d24-two-caches.fault.ts';
import { d33 } from './pods/d33-unreadable.fault.ts';
import { d26 } from './redirect/d26-no-policy.fault.ts';
import { d27 } from './redirect/d27-stock-manifest.fault.ts';
import { d28 } from './redirect/d28-set-up-switches.fault.ts';
import { d29 } from './redirect/d29-port-names.fault.ts';
import { d30 } from './redirect/d30-helm-value.fault.ts';
import { d32 } from './redirect/d32-idle-policy.fault.ts';
import type { Fault } from './rig/fault.ts';

export interface Round {
  readonly name: string;
  readonly faults: readonly Fault[];
}

export const ROUNDS: readonly Round[] = [
  { name: 'objects and nodes', faults: [d05, d08, d10, d11, d17, d20, d21, d22, d28, d33] },
  { name: 'caches beside each other', faults: [d04, d09, d23, d24] },
  { name: 'no policy', faults: [d01, d02, d12, d13, d14, d26, d30, d07] },
  { name: 'the stock manifest', faults: [d27] },
  { name: 'a network policy', faults: [d19] },
  { name: 'a deaf cache', faults: [d16] },
  { name: 'a slow wire', faults: [d15] },
  { name: 'a cache on the host', faults: [d03, d18] },
  { name: 'a cache that went', faults: [d06] },
  { name: 'a cache that hangs', faults: [d02FellBack] },
  { name: 'port names', faults: [d29] },
  { name: 'a policy for nobody, and somebody behind us', faults: [d32, d25] },
];
