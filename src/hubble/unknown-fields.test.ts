import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { methodOf, OBSERVER } from './grpc.ts';
import { findUnknownField } from './unknown-fields.ts';

const { requestSerialize } = methodOf(OBSERVER, 'GetFlows');

describe('findUnknownField', () => {
  it('finds none in what the protos name', () => {
    const since = { seconds: '-5', nanos: 999_999_999 };
    const whole = { verdict: ['DROPPED'], tcp_flags: [{ SYN: true }], ip_trace_id: ['18446744073709551615'] };
    const request = requestSerialize({
      number: '18446744073709551615',
      since,
      whitelist: [whole, {}],
      blacklist: [whole],
    });
    expect(findUnknownField(request)).toBeUndefined();
  });

  it.each<[string, readonly number[], string]>([
    // Tag: number times 8 plus the wire type, in groups of seven bits.
    ['a field of the request', [(11 << 3) | 0, 1], 'observer.GetFlowsRequest 11'],
    // whitelist is 6: two bytes of tag (41 << 3 | 2 = 330), a length, one byte.
    ['a field of a filter', [(6 << 3) | 2, 4, 0xca, 0x02, 1, 0x61], 'flow.FlowFilter 41'],
    // event_type of a filter is 6, its fields are 1 to 3.
    [
      'a field of a field of a filter',
      [(5 << 3) | 2, 4, (6 << 3) | 2, 2, (4 << 3) | 0, 1],
      'flow.EventTypeFilter 4',
    ],
    [
      'one behind fields of other kinds',
      [(3 << 3) | 0, 1, (13 << 3) | 5, 1, 2, 3, 4],
      'observer.GetFlowsRequest 13',
    ],
  ])('finds %s', (_name, bytes, found) => {
    expect(findUnknownField(Uint8Array.from(bytes))).toBe(found);
  });

  it('ends on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        findUnknownField(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});
