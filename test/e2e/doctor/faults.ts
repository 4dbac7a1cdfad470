/** Every fault, in the order of the checks that see them. */
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

export const FAULTS: readonly Fault[] = [
  d01,
  d02,
  d02FellBack,
  d03,
  d04,
  d05,
  d06,
  d07,
  d08,
  d09,
  d10,
  d11,
  d12,
  d13,
  d14,
  d15,
  d16,
  d17,
  d18,
  d19,
  d20,
  d21,
  d22,
  d23,
  d24,
  d25,
  d26,
  d27,
  d28,
  d29,
  d30,
  d32,
  d33,
];
