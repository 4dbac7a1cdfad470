/** What goes over the wire comes back as it was: through the library's own encoding, as messages do. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  EVENT_TYPES,
  type Flow,
  type GetFlowsRequest,
  type GetFlowsResponse,
  TCP_FLAGS,
  VERDICTS,
  XLATE_POINTS,
} from '../flow/api.ts';
import { DROP_REASONS } from '../flow/drop-reasons.ts';
import {
  type Codec,
  codecOf,
  fieldsOf,
  type Method,
  methodOf,
  OBSERVER,
  PEER,
  type WireMessage,
} from './grpc.ts';
import {
  fromWireNodes,
  fromWirePeer,
  fromWireResponse,
  fromWireStatus,
  toWireNodes,
  toWirePeer,
  toWireResponse,
  toWireStatus,
} from './messages.ts';
import { fromWireRequest, toWireRequest } from './requests.ts';
import { createMessageCodec } from './wire/message-codec.ts';
import { fromWireTime, toWireTime } from './wire-time.ts';

const overWire = ({ responseSerialize, responseDeserialize }: Method, message: WireMessage) =>
  responseDeserialize(responseSerialize(message));

/** From the year 1 to 9999, to the nanosecond. */
const time = fc
  .tuple(fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }), fc.integer({ min: 0, max: 999_999_999 }))
  .map(([seconds, nanos]) => fromWireTime({ seconds: String(seconds), nanos }) ?? '');
// Proto3 has no word for an empty text or a zero that was said.
const text = fc.string({ minLength: 1, unit: 'grapheme' });
const texts = fc.array(text, { minLength: 1, maxLength: 3 });
const count = fc.integer({ min: 1, max: 2 ** 32 - 1 });
const port = fc.integer({ min: 1, max: 65_535 });
const uint64 = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }).map(String);
const some: { requiredKeys: never[] } = { requiredKeys: [] };

const ports = { source_port: port, destination_port: port };
const flags = fc.record(
  Object.fromEntries([...TCP_FLAGS, 'NS'].map((flag) => [flag, fc.constant(true)])),
  some,
);
const endpoint = fc.record(
  {
    ...{ ID: count, identity: count, namespace: text, labels: texts, pod_name: text, cluster_name: text },
    workloads: fc.array(fc.record({ name: text, kind: text }), { minLength: 1, maxLength: 2 }),
  },
  some,
);
const dns = fc.record(
  {
    ...{ query: text, ips: texts, ttl: count, cnames: texts, rcode: count, qtypes: texts, rrtypes: texts },
    observation_source: text,
  },
  { requiredKeys: ['query', 'qtypes'] },
);
const service = fc.record({ name: text, namespace: text });
const policies = fc.array(
  fc.record({ name: text, namespace: text, kind: text }, { requiredKeys: ['name'] }),
  { minLength: 1, maxLength: 2 },
);
/** Each field that a flow of `flow/api.ts` can have. */
const FIELDS = {
  ...{ time, uuid: text, node_name: text, Summary: text, verdict: fc.constantFrom(...VERDICTS.slice(1)) },
  IP: fc.record(
    {
      ...{ source: text, destination: text, ipVersion: fc.constantFrom('IPv4', 'IPv6') },
      ...{ encrypted: fc.constant(true), source_xlated: text },
    },
    { requiredKeys: ['source', 'destination', 'ipVersion'] },
  ),
  ethernet: fc.record({ source: text, destination: text }),
  l4: fc.oneof(
    fc.record({ UDP: fc.record(ports, some) }),
    fc.record({ TCP: fc.record({ ...ports, flags }, some) }),
    fc.constant({}),
  ),
  ...{ source: endpoint, destination: endpoint, source_service: service, destination_service: service },
  Type: fc.constantFrom('L3_L4', 'L7', 'SOCK'),
  ...{ source_names: texts, destination_names: texts, node_labels: texts },
  l7: fc.record(
    { type: fc.constantFrom('REQUEST', 'RESPONSE', 'SAMPLE'), latency_ns: uint64, dns },
    { requiredKeys: ['type'] },
  ),
  reply: fc.constant(true),
  is_reply: fc.boolean(),
  event_type: fc.record(
    {
      type: fc.constantFrom(...Object.values(EVENT_TYPES)),
      sub_type: fc.integer({ min: 1, max: 255 }),
    },
    some,
  ),
  traffic_direction: fc.constantFrom('INGRESS', 'EGRESS'),
  trace_observation_point: fc.constantFrom('FROM_ENDPOINT', 'TO_ENDPOINT', 'TO_HOST'),
  interface: fc.record({ index: count, name: text }, { requiredKeys: ['index'] }),
  trace_context: fc.record({ parent: fc.record({ trace_id: text }) }),
  sock_xlate_point: fc.constantFrom(...XLATE_POINTS.slice(1)),
  emitter: fc.record({ name: text, version: text }),
  drop_reason_desc: fc.constantFrom(...[...DROP_REASONS.values()].slice(1)),
  ...{ policy_match_type: count, egress_allowed_by: policies, ingress_allowed_by: policies },
  ...{ egress_denied_by: policies, ingress_denied_by: policies },
} satisfies { readonly [Field in keyof Required<Flow>]: unknown };
const flow = fc.record(FIELDS, {
  requiredKeys: [
    ...(['time', 'uuid', 'verdict', 'IP', 'l4', 'source', 'destination', 'Type'] as const),
    ...(['node_name', 'event_type', 'Summary'] as const),
  ],
}) as fc.Arbitrary<Flow>;

const lost = fc.record(
  {
    source: fc.constantFrom('PERF_EVENT_RING_BUFFER', 'OBSERVER_EVENTS_QUEUE', 'HUBBLE_RING_BUFFER'),
    ...{ num_events_lost: uint64, cpu: fc.nat(1024), first: time, last: time },
  },
  { requiredKeys: ['source', 'num_events_lost'] },
);
const nodeStatus = fc.record(
  { state_change: fc.constantFrom('NODE_CONNECTED', 'NODE_ERROR'), node_names: texts, message: text },
  { requiredKeys: ['state_change', 'node_names'] },
);
const response = fc
  .tuple(
    fc.record({ node_name: text, time }),
    fc.oneof(fc.record({ flow }), fc.record({ lost_events: lost }), fc.record({ node_status: nodeStatus })),
  )
  .map(([head, kind]) => ({ ...head, ...kind })) as fc.Arbitrary<GetFlowsResponse>;

describe('toWireResponse', () => {
  it('loses nothing on the way', () => {
    fc.assert(
      fc.property(response, (said) => {
        const heard = fromWireResponse(overWire(methodOf(OBSERVER, 'GetFlows'), toWireResponse(said)));
        expect(heard).toEqual(said);
      }),
    );
  });
});

describe('fromWireResponse', () => {
  it('never throws, whatever message of that kind it is', () => {
    const { responseDeserialize } = methodOf(OBSERVER, 'GetFlows');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        let message: WireMessage;
        try {
          message = responseDeserialize(Buffer.from(bytes));
        } catch {
          // No message at all: the library has refused it.
          return;
        }
        fromWireResponse(message);
      }),
      { numRuns: 2000 },
    );
  });

  it('gives what was not said the value that stands for it', () => {
    expect(fromWireResponse({ flow: {} })?.flow).toMatchObject({
      ...{ verdict: 'VERDICT_UNKNOWN', Type: 'L3_L4', l4: {}, source: {}, destination: {}, event_type: {} },
      Summary: '',
    });
    expect(fromWireResponse({ flow: {} })?.flow).not.toHaveProperty('is_reply');
    expect(fromWireResponse({ flow: { verdict: 99 } })?.flow?.verdict).toBe('VERDICT_UNKNOWN');
    expect(fromWireResponse({})).toBeUndefined();
  });
});

describe('toWireTime', () => {
  it('is exact to the nanosecond, before the epoch too', () => {
    expect(toWireTime('1969-12-31T23:59:59.999999999Z')).toEqual({ seconds: '-1', nanos: 999_999_999 });
    expect(toWireTime('2026-03-03T11:00:00.5+01:00')).toEqual({ seconds: '1772532000', nanos: 500_000_000 });
    expect(toWireTime('yesterday')).toBeUndefined();
    fc.assert(
      fc.property(time, (said) => {
        expect(fromWireTime(toWireTime(said) ?? {})).toBe(said);
      }),
    );
  });
});

describe('fromWireTime', () => {
  it.each([
    [{}, '1970-01-01T00:00:00Z'],
    [{ seconds: '-62135596800' }, '0001-01-01T00:00:00Z'],
    [{ seconds: '-62135596801' }, undefined],
    [{ seconds: '253402300800' }, undefined],
    [{ seconds: '0', nanos: -1 }, undefined],
    [{ seconds: '0', nanos: 1_000_000_000 }, undefined],
    [{ seconds: '9223372036854775807' }, undefined],
    [{ nanos: 1000 }, '1970-01-01T00:00:00.000001Z'],
  ])('reads %j as %s', (wire, said) => {
    expect(fromWireTime(wire)).toBe(said);
  });
});

describe('toWireRequest', () => {
  const filter = fc.record(
    {
      ...{ source_pod: texts, destination_ip: texts, dns_query: texts, protocol: texts, uuid: texts },
      ...{
        source_port: fc.array(port.map(String), { minLength: 1 }),
        reply: fc.array(fc.boolean(), { minLength: 1 }),
      },
      verdict: fc.array(fc.constantFrom(...VERDICTS), { minLength: 1 }),
      event_type: fc.array(fc.record({ type: count.map((n) => n >>> 1), match_sub_type: fc.boolean() }), {
        minLength: 1,
      }),
      source_identity: fc.array(fc.nat(2 ** 31), { minLength: 1 }),
      http_method: texts,
      tcp_flags: fc.array(flags, { minLength: 1 }),
      experimental: fc.record({ cel_expression: texts }),
    },
    some,
  );
  const filters = fc.array(filter, { minLength: 1, maxLength: 3 });
  const request = fc.record(
    {
      ...{ number: uint64, first: fc.constant(true), follow: fc.constant(true), since: time, until: time },
      ...{
        whitelist: filters,
        blacklist: filters,
        field_mask: fc.constant({ paths: ['time', 'source.labels'] }),
      },
    },
    some,
  ) as fc.Arbitrary<GetFlowsRequest>;

  it('loses nothing on the way', () => {
    const { requestSerialize, requestDeserialize } = methodOf(OBSERVER, 'GetFlows');
    fc.assert(
      fc.property(request, (asked) => {
        const heard = fromWireRequest(requestDeserialize(requestSerialize(toWireRequest(asked))));
        expect(heard).toEqual({ ok: true, value: asked });
      }),
    );
  });
});

describe('toWireStatus, toWireNodes and toWirePeer', () => {
  const whole = fc.nat(Number.MAX_SAFE_INTEGER);
  const counts = {
    numFlows: whole,
    maxFlows: whole,
    seenFlows: whole,
    uptimeNs: fc.bigInt(0n, 2n ** 64n - 1n),
  };

  it('lose nothing on the way', () => {
    const rate = fc.double({ min: 0, noNaN: true });
    const relay = { connectedNodes: fc.nat(1000), unavailableNodes: fc.array(text) };
    fc.assert(
      fc.property(
        fc.oneof(
          fc.record({ ...counts, version: text, flowsRate: rate }),
          fc.record({ ...counts, version: text, flowsRate: rate, ...relay }),
        ),
        (said) => {
          expect(fromWireStatus(overWire(methodOf(OBSERVER, 'ServerStatus'), toWireStatus(said)))).toEqual(
            said,
          );
        },
      ),
    );
    const node = fc.record(
      {
        ...{ ...counts, name: text, version: text, address: text },
        state: fc.constantFrom('NODE_CONNECTED', 'NODE_GONE'),
        tls: fc.record({ enabled: fc.boolean(), serverName: text }),
      },
      {
        requiredKeys: [
          'name',
          'version',
          'address',
          'state',
          'numFlows',
          'maxFlows',
          'seenFlows',
          'uptimeNs',
        ],
      },
    );
    fc.assert(
      fc.property(fc.array(node), (said) => {
        expect(fromWireNodes(overWire(methodOf(OBSERVER, 'GetNodes'), toWireNodes(said)))).toEqual(said);
      }),
    );
    const peer = fc.record(
      { name: text, address: text, type: fc.constantFrom('PEER_ADDED', 'PEER_DELETED'), tlsServerName: text },
      { requiredKeys: ['name', 'address', 'type'] },
    );
    fc.assert(
      fc.property(peer, (said) => {
        expect(fromWirePeer(overWire(methodOf(PEER, 'Notify'), toWirePeer(said)))).toEqual(said);
      }),
    );
  });
});

describe('createMessageCodec', () => {
  const theirs = codecOf('observer.GetFlowsResponse');
  const ours = createMessageCodec('observer.GetFlowsResponse', fieldsOf);

  it('writes and reads what the library does', () => {
    fc.assert(
      fc.property(response, (said) => {
        const wire = toWireResponse(said);
        // The library writes zeros, too, where they were said; both mean the same.
        const expected = fromWireResponse(theirs.deserialize(theirs.serialize(wire)));
        expect(fromWireResponse(theirs.deserialize(ours.serialize(wire)))).toEqual(expected);
        expect(fromWireResponse(ours.deserialize(theirs.serialize(wire)))).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('writes messages of any size, one after another', () => {
    for (const length of [1, 63, 64, 127, 128, 16_383, 16_384, 300_000]) {
      const flow = { Summary: 'é'.repeat(length), source: { labels: ['x'.repeat(length), 'y'] } };
      expect(theirs.deserialize(ours.serialize({ flow }))).toMatchObject({ flow });
      expect(ours.deserialize(ours.serialize({ flow }))).toEqual({ flow });
    }
  });

  it('passes over what it does not know, and refuses what is no message, as the library does', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const read = (codec: Codec) => {
          try {
            return fromWireResponse(codec.deserialize(Buffer.from(bytes)));
          } catch {
            return 'refused';
          }
        };
        // It may refuse more: what is of another wire type than its field says, the library reads as it can.
        const heard = read(ours);
        if (heard !== 'refused' && heard !== undefined) expect(typeof heard.time).toBe('string');
      }),
      { numRuns: 5000 },
    );
    const further = Buffer.concat([
      ours.serialize({ node_name: 'n' }),
      // Fields 2000, 2001 and 2002 of a newer server: a varint, bytes, four bytes.
      Buffer.from([0x80, 0x7d, 0x05, 0x8a, 0x7d, 0x01, 0x41, 0x95, 0x7d, 1, 2, 3, 4]),
    ]);
    expect(ours.deserialize(further)).toEqual({ node_name: 'n' });
    expect(() => ours.deserialize(further.subarray(0, -1))).toThrow();
  });
});
