/** The small run of `npm run fuzz`: the same packets each time, so that what was right stays right. */
import { expect, it } from 'vitest';
import { fuzzDecoder } from '../fuzz/fuzz-decoder.ts';
import { fuzzServer } from '../fuzz/fuzz-server.ts';
import { fuzzSockets } from '../fuzz/fuzz-sockets.ts';

const SEED = 20_260_101;
const progress = () => undefined;

it('300,000 mutated packets are decoded or refused', { timeout: 180_000 }, () => {
  const report = fuzzDecoder({ seed: SEED, count: 300_000, progress });
  expect(report.outcomes.get('ok')).toBeGreaterThan(100_000);
});

it('20,000 mutated packets through a server get a well-formed reply or none', {
  timeout: 180_000,
}, async () => {
  for (const report of await fuzzServer({ seed: SEED, count: 20_000, progress })) {
    expect(report.fast).toBeGreaterThan(200);
    expect(report.outcomes.get('NOERROR')).toBeGreaterThan(1000);
  }
});

it('10,000 mutated packets over UDP, TCP and DoT do as well', { timeout: 180_000 }, async () => {
  const [udp] = await fuzzSockets({ seed: SEED, progress }, { udp: 9000, tcp: 900, tls: 100 });
  expect(udp?.fast).toBeGreaterThan(500);
  expect(udp?.outcomes.get('NOERROR')).toBeGreaterThan(2000);
});
