import { expect, it } from 'vitest';
import { MOST_PORTS, OTHER_PORT, PortCounters } from './port-counters.ts';

it('PortCounters keeps few ports apart, however many are sent to', () => {
  const counters = new PortCounters();
  for (let port = 1; port < 65536; port++) counters.add(17, port);
  counters.add(6, 53);
  counters.add(6, 40_000);
  const rows = counters.list();
  expect(rows).toHaveLength(MOST_PORTS + 3);
  expect(rows).toContainEqual({ kind: { protocol: 17, port: 53 }, count: 1 });
  expect(rows).toContainEqual({ kind: { protocol: 17, port: OTHER_PORT }, count: 65535 - MOST_PORTS });
  expect(rows).toContainEqual({ kind: { protocol: 6, port: 53 }, count: 1 });
  expect(rows).toContainEqual({ kind: { protocol: 6, port: OTHER_PORT }, count: 1 });
});
