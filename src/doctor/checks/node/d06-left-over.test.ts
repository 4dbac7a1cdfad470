import { expect, it } from 'vitest';
import { runChecks } from '../../run-checks.ts';
import { known } from '../../site/known.ts';
import type { RuleFact } from '../../site/node-facts.ts';
import { address, liveSite } from '../../testing/live-site.ts';
import { CLUSTER_DNS } from '../../testing/manifest-report.ts';
import { d06 } from './d06-left-over.ts';

const rule = (fields: Partial<RuleFact>): RuleFact => ({
  ...{ backend: 'iptables-legacy', family: 'ip', protocol: 'UDP', destinationPort: 53 },
  ...{ destination: address('10.96.0.10'), table: 'raw', chain: 'PREROUTING', verdict: 'notrack', text: '' },
  ...fields,
});

it("d06 removes the rules of the cache, and neither kube-proxy's nor a firewall's for the same address", async () => {
  const rules = known([
    rule({ text: '-A PREROUTING -d 10.96.0.10/32 -p udp -j NOTRACK' }),
    rule({ table: 'nat', chain: 'KUBE-SERVICES', verdict: 'jump', text: '-A KUBE-SERVICES -j KUBE-SVC-X' }),
    rule({ table: 'filter', chain: 'INPUT', verdict: 'accept', text: '-A INPUT -p udp -j ACCEPT' }),
    rule({
      ...{ table: 'filter', chain: 'INPUT', verdict: 'accept', text: '-A INPUT -d 10.96.0.10 -j ACCEPT' },
      comment: 'NodeLocal DNS Cache: allow DNS traffic',
    }),
  ]);
  const facts = { rules, interfaces: known([]), sockets: known([]) };
  const { findings } = await runChecks(liveSite({ manifests: [CLUSTER_DNS], facts }), [d06]);
  expect(findings).toMatchObject([{ id: 'D06', severity: 'warning' }]);
  expect(findings[0]?.fix.text.split('\n')).toEqual([
    'iptables-legacy -t raw -D PREROUTING -d 10.96.0.10/32 -p udp -j NOTRACK',
    'iptables-legacy -t filter -D INPUT -d 10.96.0.10 -j ACCEPT',
  ]);
});

it('d06 leaves alone what kube-router has for IPVS', async () => {
  const held = {
    name: 'kube-dummy-if',
    ifindex: 3,
    kind: 'dummy',
    up: true,
    addresses: [address('10.96.0.10')],
  };
  const facts = { rules: known([]), interfaces: known([held]), sockets: known([]) };
  const { findings } = await runChecks(liveSite({ manifests: [CLUSTER_DNS], facts }), [d06]);
  expect(findings).toEqual([]);
});
