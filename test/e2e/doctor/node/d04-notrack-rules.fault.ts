/**
 * A stock node cache whose NOTRACK rules somebody else swept away. Ours puts its own back within seconds, so a process with
 * the original's name and flags stands for it, and the rules are written and removed as iptables would.
 */
import { type Fault, WORKER } from '../rig/fault.ts';
import { startStockCache } from './stock-cache.ts';

export const d04: Fault = {
  id: 'D04',
  name: "no NOTRACK rules for a stock cache's address (a process of its name stands for it)",
  async build(lab, keep) {
    keep(await startStockCache(lab, '-localip', '10.96.0.10', '-setupinterface=false', '-syncinterval=1'));
  },
  finds: {
    severity: 'bypassed',
    node: WORKER,
    says: ['no rule NOTRACK for 10.96.0.10 port 53', /dnat/],
  },
};
