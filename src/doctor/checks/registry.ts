/** Every check, in the order of their numbers. A new one is a file and a row here. */
import type { Check } from '../check.ts';
import { d19 } from './access/d19-network-policy.ts';
import { d20 } from './access/d20-name-policy.ts';
import { d34 } from './answers/d34-kernel-answers.ts';
import { d09 } from './corefile/d09-upstream-loop.ts';
import { d10 } from './corefile/d10-placeholders.ts';
import { d17 } from './corefile/d17-cache-memory.ts';
import { d18 } from './corefile/d18-negative-ttl.ts';
import { d03 } from './node/d03-ipvs-address.ts';
import { d04 } from './node/d04-notrack-rules.ts';
import { d05 } from './node/d05-late-rules.ts';
import { d06 } from './node/d06-left-over.ts';
import { d07 } from './node/d07-conntrack.ts';
import { d08 } from './node/d08-duplicate-rules.ts';
import { d22 } from './node/d22-ports.ts';
import { d25 } from './node/d25-kernel.ts';
import { d01 } from './path/d01-probe-arrives.ts';
import { d02 } from './path/d02-who-rewrote.ts';
import { d21 } from './pods/d21-dns-policy.ts';
import { d24 } from './pods/d24-two-caches.ts';
import { d33 } from './pods/d33-unreadable.ts';
import { d26 } from './redirect/d26-no-policy.ts';
import { d27 } from './redirect/d27-stock-manifest.ts';
import { d28 } from './redirect/d28-set-up-switches.ts';
import { d29 } from './redirect/d29-port-names.ts';
import { d30 } from './redirect/d30-helm-value.ts';
import { d31 } from './redirect/d31-recursion-not-available.ts';
import { d32 } from './redirect/d32-idle-policy.ts';
import { d11 } from './traffic/d11-upstreams-answer.ts';
import { d12 } from './traffic/d12-search-misses.ts';
import { d13 } from './traffic/d13-paired-queries.ts';
import { d14 } from './traffic/d14-truncated.ts';
import { d15 } from './traffic/d15-felt-latency.ts';
import { d16 } from './traffic/d16-retries.ts';
import { d23 } from './traffic/d23-resolver-limit.ts';

export const CHECKS: readonly Check[] = [
  d01,
  d02,
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
  d31,
  d32,
  d33,
  d34,
];
