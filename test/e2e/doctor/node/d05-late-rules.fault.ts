/**
 * A stock node cache in its first minute: without -pidfile it looks after interface and rules only when its sync interval has
 * passed. A process with the original's name and flags stands for it, since ours sets up before it serves.
 */
import { type Fault, WORKER } from '../rig/fault.ts';
import { startStockCache } from './stock-cache.ts';

export const d05: Fault = {
  id: 'D05',
  name: 'a stock cache in its first minute (a process of its name stands for it)',
  build: async (lab, keep) => keep(await startStockCache(lab, '-localip', '169.254.25.10')),
  finds: {
    severity: 'warning',
    node: WORKER,
    says: [
      'looks after its rules every 60 s',
      'no rule NOTRACK for 169.254.25.10 port 53 yet',
      'no interface has 169.254.25.10 yet',
    ],
  },
};
