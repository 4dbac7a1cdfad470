import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TYPE } from '../../dns/codes.ts';
import { addressRecord } from '../../dns/rdata/address.ts';
import { cnameRecord } from '../../dns/rdata/target.ts';
import { sightDns } from '../dns-sighting.ts';
import { ip } from '../testing/sample-cluster.ts';
import { dnsMessage, name } from '../testing/sample-packet.ts';
import { createDnsScan, type DnsScan, scanDns } from './dns-scan.ts';

function scan(bytes: Uint8Array): DnsScan | undefined {
  const out = createDnsScan();
  // Not at the beginning of its memory, as in a record.
  const memory = new Uint8Array(bytes.length + 7);
  memory.set(bytes, 3);
  return scanDns(out, memory, 3, 3 + bytes.length) ? out : undefined;
}

const www = name('www.example.org.');
const alias = cnameRecord(name('google.com.'), 300, www);
const [a, b] = [addressRecord(www, 30, ip('192.0.2.1')), addressRecord(www, 30, ip('2001:db8::1'))];

describe('scanDns', () => {
  it('reads a query', () => {
    expect(scan(dnsMessage())).toMatchObject({
      id: 49886,
      isResponse: false,
      qtype: TYPE.A,
      rcode: 0,
      addresses: 0,
    });
  });

  it('counts the records of an answer by type, compressed names or not', () => {
    const answer = scan(dnsMessage({ response: true, answers: [alias, a, b] }));
    expect(answer).toMatchObject({ isResponse: true, addresses: 2, typeCount: 3 });
    expect([...(answer?.types ?? [])].slice(0, 3)).toEqual([TYPE.CNAME, TYPE.A, TYPE.AAAA]);
  });

  it('reads the answer code', () => {
    expect(scan(dnsMessage({ response: true, rcode: 3 }))?.rcode).toBe(3);
  });

  const message = fc
    .record({
      response: fc.boolean(),
      rcode: fc.nat(15),
      opcode: fc.constantFrom(0, 0, 0, 0, 4, 5),
      answers: fc.array(fc.constantFrom(alias, a, b), { maxLength: 5 }),
    })
    .map((fields) => dnsMessage(fields));
  const damaged = fc
    .tuple(message, fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 }), fc.nat(200))
    .map(([bytes, changes, keep]) => {
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      return keep < 100 ? bytes : bytes.subarray(0, bytes.length - (keep - 100));
    });
  it('finds a message where sightDns does, and the same one, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.oneof(message, damaged, fc.uint8Array({ maxLength: 300 })), (payload) => {
        const [seen] = sightDns({ protocol: 'UDP', payload, payloadLength: payload.length });
        const scanned = scan(payload);
        expect(scanned === undefined).toBe(seen === undefined);
        if (scanned === undefined || seen === undefined) return;
        expect(scanned).toMatchObject({
          id: seen.id,
          isResponse: seen.response,
          rcode: seen.record.rcode ?? 0,
        });
        if (seen.complete) expect(scanned.addresses).toBe(seen.record.ips?.length ?? 0);
      }),
      { numRuns: 2000 },
    );
  });
});
