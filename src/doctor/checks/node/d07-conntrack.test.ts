import { expect, it } from 'vitest';
import { runChecks } from '../../run-checks.ts';
import { known } from '../../site/known.ts';
import { address, liveSite } from '../../testing/live-site.ts';
import { CLUSTER_DNS } from '../../testing/manifest-report.ts';
import { d07 } from './d07-conntrack.ts';

const GONE = address('172.20.0.99');
const ENTRY = {
  ...{ protocol: 'UDP' as const, source: address('172.20.1.5'), sourcePort: 4000, unreplied: false },
  ...{ destination: address('10.96.0.10'), destinationPort: 53, replySource: GONE, replySourcePort: 53 },
  timeoutSeconds: 30,
};

it('d07 takes an address that the node itself has for no server that is gone', async () => {
  const conntrack = known({ counters: {}, entries: [ENTRY], entriesOmitted: 0 });
  const held = { name: 'nodelocaldns', ifindex: 3, kind: 'dummy', up: true, addresses: [GONE] };
  const report = (addresses: readonly (typeof held)[]) =>
    runChecks(liveSite({ manifests: [CLUSTER_DNS], facts: { conntrack, interfaces: known(addresses) } }), [
      d07,
    ]);
  const { findings } = await report([]);
  expect(findings).toMatchObject([{ id: 'D07', severity: 'warning' }]);
  expect(findings[0]?.fix.text).toBe('conntrack -D -p udp --orig-port-dst 53 --reply-src 172.20.0.99');
  expect((await report([held])).findings).toEqual([]);
});
