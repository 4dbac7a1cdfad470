/** A firewall before the resolver of the network that knows DNS as UDP alone. */
import { type Fault, WORKER } from '../rig/fault.ts';

const RULES =
  'add table ip firewall; add chain ip firewall in { type filter hook input priority 0; }; add rule ip firewall in ip daddr 10.0.2.3 tcp dport 53 reject with tcp reset';

export const d11: Fault = {
  id: 'D11',
  name: 'an upstream that takes no TCP',
  async build(lab, keep) {
    lab.inNode('internet', 'nft', RULES);
    keep(() => void lab.inNode('internet', 'nft', 'delete', 'table', 'ip', 'firewall'));
  },
  finds: {
    severity: 'warning',
    node: WORKER,
    says: [/10\.0\.2\.3:53 by UDP: \w+ in \d+ ms; by TCP: refused/, 'UDP works and TCP does not'],
  },
};
