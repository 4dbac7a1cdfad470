/** Rows of the health array and whose they are, over the ends of the agents that wrote them. */
import { beforeEach, expect, test } from 'vitest';
import { u32Bytes } from '../../sys/bpf-map.ts';
import { DNS_PORT, toIp } from '../testing/conformance.ts';
import { MemoryMap } from '../testing/memory-map.ts';
import { decodeHealth, HEALTH_SIZE } from './abi.gen.ts';
import { HealthTable } from './health-table.ts';

const KEPT = toIp('172.20.0.20');
const GONE = toIp('172.20.0.30');
const NEW = toIp('172.20.0.40');

let map: MemoryMap;
let table: HealthTable;
const inKernel = (index: number) => {
  const value = map.lookup(u32Bytes(index));
  return value && decodeHealth(value);
};

beforeEach(() => {
  map = new MemoryMap(HEALTH_SIZE);
  table = new HealthTable(map);
});

test('a backend does not begin with what an agent that was killed left of another in its row', () => {
  const kept = table.indexOf(KEPT, DNS_PORT);
  const gone = table.indexOf(GONE, DNS_PORT);
  table.set({ address: GONE, port: DNS_PORT, seat: 5, down: 'no answer' });
  // Killed after the backend was taken away, and before its row was.
  const next = new HealthTable(map);
  next.inherit(KEPT, DNS_PORT, kept);
  const index = next.indexOf(NEW, DNS_PORT);
  expect(index).toBe(gone);
  expect(inKernel(index)).toEqual({ seat: 0, down: 0 });
});

test('ten thousand backends that come and go leave neither rows nor verdicts', () => {
  table.set({ address: KEPT, port: DNS_PORT, down: 'no answer' });
  const kept = table.indexOf(KEPT, DNS_PORT);
  for (let i = 0; i < 10_000; i++) {
    const address = toIp(`10.1.${i >> 8}.${i & 255}`);
    expect(table.indexOf(address, DNS_PORT)).toBeGreaterThan(0);
    table.set({ address, port: DNS_PORT, seat: 1 + (i % 200) });
    // Either order: the pod leaves its service first, or its process ends first.
    if (i % 2 === 0) table.set({ address, port: DNS_PORT });
    table.release(address, DNS_PORT);
    if (i % 2 === 1) table.set({ address, port: DNS_PORT });
  }
  expect(table.rows()).toEqual([{ address: KEPT, port: DNS_PORT, down: 'no answer' }]);
  for (let index = 1; index < 4096; index++) {
    expect(inKernel(index)).toEqual({ seat: 0, down: index === kept ? 1 : 0 });
  }
});
