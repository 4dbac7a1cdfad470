/** A rule that is added with every start and never looked for. */
import { type Fault, WORKER } from '../rig/fault.ts';

const RULE = ['INPUT', '-d', '169.254.20.10', '-p', 'udp', '--dport', '53', '-j', 'ACCEPT'];

export const d08: Fault = {
  id: 'D08',
  name: 'one rule three times',
  async build(lab, keep) {
    // iptables makes its table when it is first used, and leaves it.
    keep(() => void lab.inNode(WORKER, 'nft', 'delete', 'table', 'ip', 'filter'));
    for (let i = 0; i < 3; i++) {
      lab.inNode(WORKER, 'iptables-nft', '-I', ...RULE);
      keep(() => void lab.inNode(WORKER, 'iptables-nft', '-D', ...RULE));
    }
  },
  finds: { severity: 'warning', node: WORKER, says: [/^3 times .*169\.254\.20\.10/] },
};
