import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Flow, GetFlowsResponse } from '../api.ts';
import { CACHE, CART, sampleFlow } from '../testing/sample-flow.ts';
import { createFlowPrinter, type PrinterOptions } from './printer.ts';

const answer = (flow: Flow): GetFlowsResponse => ({ flow, node_name: flow.node_name, time: flow.time });
const LOST: GetFlowsResponse = {
  lost_events: { source: 'HUBBLE_RING_BUFFER', num_events_lost: '7', cpu: 3 },
  node_name: 'worker-1',
  time: '2026-03-03T10:00:01Z',
};
const status = (
  state_change: 'NODE_CONNECTED' | 'NODE_UNAVAILABLE' | 'NODE_GONE' | 'NODE_ERROR',
  names: readonly string[],
  message = '',
): GetFlowsResponse => ({
  node_status: { state_change, node_names: names, message },
  node_name: 'relay',
  time: '2026-03-03T10:00:02Z',
});

function printed(
  responses: readonly GetFlowsResponse[],
  options: PrinterOptions,
): { out: string; err: string } {
  const printer = createFlowPrinter(options);
  if (!printer.ok) throw new Error(printer.reason);
  const parts = responses.map((response) => printer.value.print(response));
  return {
    out: `${parts.map(({ out }) => out).join('')}${printer.value.end()}`,
    err: parts.map(({ err }) => err).join(''),
  };
}

/** The example of spec hubble 3.2. */
const DELIVERED = sampleFlow({
  time: '2026-03-03T10:00:00.063Z',
  source: CACHE,
  destination: CART,
  l4: { UDP: { source_port: 53, destination_port: 41022 } },
  event_type: { type: 4 },
  is_reply: true,
});

describe('createFlowPrinter, dict', () => {
  it('prints a record as the stock CLI does, sides as they are even in a reply', () => {
    expect(printed([answer(DELIVERED)], { output: 'dict' }).out).toBe(`  TIMESTAMP: Mar  3 10:00:00.063
     SOURCE: kube-system/node-local-dns-9kq2t:53
DESTINATION: shop/cart-6d4b7c8f9-x2x7k:41022
       TYPE: to-endpoint
    VERDICT: FORWARDED
    SUMMARY: UDP
`);
  });

  it('separates records, and names the node on request', () => {
    const { out } = printed([answer(DELIVERED), LOST], { output: 'dict', printNodeName: true });
    expect(out.split('------------\n')).toHaveLength(2);
    expect(out).toContain('TIMESTAMP: Mar  3 10:00:00.063\n       NODE: worker-1\n     SOURCE: ');
    expect(out).toContain(
      '     SOURCE: HUBBLE_RING_BUFFER\n       TYPE: EVENTS LOST\n    VERDICT: \n    SUMMARY: CPU(3) - 7\n',
    );
  });
});

describe('createFlowPrinter, table', () => {
  it.each(['table', 'tab'])(
    'prints %s at the end: one header, three blanks between aligned columns',
    (output) => {
      const direct = sampleFlow({ source: {}, Summary: 'UDP' });
      expect(
        printed([answer(DELIVERED), answer(direct), LOST], { output, color: true }).out.split('\n'),
      ).toEqual([
        'TIMESTAMP             SOURCE                                DESTINATION                           TYPE            VERDICT     SUMMARY',
        'Mar  3 10:00:00.063   kube-system/node-local-dns-9kq2t:53   shop/cart-6d4b7c8f9-x2x7k:41022       to-endpoint     FORWARDED   UDP',
        'Mar  3 10:00:00.014   10.244.1.23:41022                     kube-system/node-local-dns-9kq2t:53   from-endpoint   FORWARDED   UDP',
        'Mar  3 10:00:01.000   HUBBLE_RING_BUFFER                                                          EVENTS LOST                 CPU(3) - 7',
        '',
      ]);
    },
  );

  it('has a column for the node on request', () => {
    const { out } = printed([answer(DELIVERED)], { output: 'table', printNodeName: true });
    expect(out).toMatch(/^TIMESTAMP {13}NODE {7}SOURCE/);
  });

  it('prints nothing when there is nothing', () => {
    expect(printed([], { output: 'table' }).out).toBe('');
  });
});

describe('createFlowPrinter, json', () => {
  it.each(['json', 'jsonpb', 'JSON'])('prints %s, one answer on a line', (output) => {
    const { out } = printed([answer(DELIVERED), LOST], { output });
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([answer(DELIVERED), LOST]);
  });

  it('begins a line with what it is about, whatever order the answer came in', () => {
    const { flow, ...rest } = answer(DELIVERED);
    const { out } = printed([{ ...rest, flow } as GetFlowsResponse, LOST], { output: 'json' });
    expect(out).toMatch(/^\{"flow":.*,"node_name":"worker-1","time":"[^"]*"\}\n\{"lost_events":/);
  });

  it('prints of the flow what the field mask names and nothing else', () => {
    const { out } = printed([answer(DELIVERED)], {
      output: 'json',
      fieldMask: ['verdict', 'source.pod_name', 'l4.UDP', 'l7.dns'],
    });
    expect(JSON.parse(out)).toEqual({
      flow: {
        verdict: 'FORWARDED',
        source: { pod_name: 'node-local-dns-9kq2t' },
        l4: { UDP: { source_port: 53, destination_port: 41022 } },
      },
      node_name: 'worker-1',
      time: '2026-03-03T10:00:00.063Z',
    });
  });
});

describe('createFlowPrinter, compact', () => {
  it('tells what was lost, and between when', () => {
    const lost = { ...LOST.lost_events, first: '2026-03-03T10:00:00Z', last: '2026-03-03T10:00:00.500Z' };
    const { out } = printed([{ ...LOST, lost_events: lost } as GetFlowsResponse], { output: 'compact' });
    expect(out).toBe(
      'Mar  3 10:00:01.000 EVENTS LOST: HUBBLE_RING_BUFFER CPU(3) 7 (first: Mar  3 10:00:00.000, last: Mar  3 10:00:00.500)\n',
    );
  });

  it('colours as the stock CLI does: the port inside its host', () => {
    const { out } = printed([answer(sampleFlow())], { output: 'compact', color: true });
    expect(out).toContain(
      '\x1b[36mshop/cart-6d4b7c8f9-x2x7k:\x1b[33m41022\x1b[0m\x1b[0m \x1b[35m(ID:21873)\x1b[0m -> ',
    );
    expect(out).toContain(' \x1b[32mFORWARDED\x1b[0m (UDP)');
  });

  it('names the policies behind a verdict', () => {
    const flow = sampleFlow({
      event_type: { type: 5 },
      policy_match_type: 2,
      traffic_direction: 'EGRESS',
      egress_allowed_by: [
        { name: 'web', kind: 'CiliumNetworkPolicy', namespace: 'shop' },
        { name: 'all', kind: 'CiliumClusterwideNetworkPolicy' },
      ],
    });
    const by = ' BY web (CiliumNetworkPolicy), all (CiliumClusterwideNetworkPolicy)';
    const { out } = printed([answer(flow)], { output: 'compact', printPolicyNames: true });
    expect(out).toContain(` policy-verdict:L3-L4 EGRESS ALLOWED${by} (UDP)`);
    expect(printed([answer(flow)], { output: 'compact' }).out).toContain(' ALLOWED (UDP)');
  });

  it('takes the translation point before the sub type', () => {
    const event_type = { type: 7, sub_type: 1 };
    const flow = sampleFlow({ event_type, sock_xlate_point: 'SOCK_XLATE_POINT_POST_DIRECTION_REV' });
    expect(printed([answer(flow)], { output: 'compact' }).out).toContain(' post-xlate-rev ');
  });

  it.each([
    { timeFormat: 'StampMilli', time: 'Mar  3 10:00:00.014' },
    { timeFormat: 'YearMonthDay', time: '2026-03-03' },
    { timeFormat: 'YearMonthDayHour', time: '2026-03-03T10Z' },
    { timeFormat: 'YearMonthDayHourMinute', time: '2026-03-03T10:00Z' },
    { timeFormat: 'RFC3339', time: '2026-03-03T10:00:00Z' },
    { timeFormat: 'RFC3339Milli', time: '2026-03-03T10:00:00.014Z' },
    { timeFormat: 'RFC3339Micro', time: '2026-03-03T10:00:00.0145Z' },
    { timeFormat: 'RFC3339Nano', time: '2026-03-03T10:00:00.014500001Z' },
    { timeFormat: 'RFC1123Z', time: 'Tue, 03 Mar 2026 10:00:00 +0000' },
  ] as const)('writes the time as $timeFormat', ({ timeFormat, time }) => {
    const flow = sampleFlow({ time: '2026-03-03T10:00:00.014500001Z' });
    expect(printed([answer(flow)], { output: 'compact', timeFormat }).out).toMatch(`${time}: shop/`);
  });
});

describe('createFlowPrinter, nodes', () => {
  const many = Array.from({ length: 9 }, (_, at) => `worker-${at + 1}`);

  it.each([
    { response: status('NODE_UNAVAILABLE', ['worker-2']), line: '1 nodes are unavailable: worker-2' },
    { response: status('NODE_ERROR', ['a', 'b'], 'no "way"'), line: 'Error "no \\"way\\"" on 2 nodes: a, b' },
    {
      response: status('NODE_UNAVAILABLE', many),
      line: '9 nodes are unavailable: worker-1, worker-2, worker-3, worker-4, worker-5 (and 4 more)',
    },
  ])('tells troubles on standard error: $line', ({ response, line }) => {
    const told = { out: '', err: `Mar  3 10:00:02.000 [relay]: ${line}\n` };
    expect(printed([response], { output: 'compact' })).toEqual(told);
    expect(printed([response], { output: 'table' })).toEqual(told);
    expect(printed([response], { output: 'compact', silent: true }).err).toBe('');
  });

  it('tells comings and goings to who looks for them', () => {
    const responses = [status('NODE_CONNECTED', ['a']), status('NODE_GONE', ['a'])];
    expect(printed(responses, { output: 'compact' }).err).toBe('');
    const { err } = printed(responses, { output: 'compact', debug: true });
    expect(err).toContain(']: Receiving flows from 1 nodes: a\n');
    expect(err).toContain(']: 1 nodes removed from cluster: a\n');
  });

  it('has a record and a line of JSON for them', () => {
    const response = status('NODE_UNAVAILABLE', ['a']);
    expect(printed([response], { output: 'dict' }).err).toBe(
      '  TIMESTAMP: Mar  3 10:00:02.000\n      STATE: NODE_UNAVAILABLE\n      NODES: a\n    MESSAGE: N/A\n',
    );
    expect(JSON.parse(printed([response], { output: 'json' }).err)).toEqual(response);
  });
});

describe('createFlowPrinter', () => {
  it.each(['compact', 'dict', 'table'])('passes over an answer of a kind unknown here in %s', (output) => {
    expect(printed([{ node_name: 'worker-1', time: '' }], { output })).toEqual({ out: '', err: '' });
  });

  it.each([
    { options: { output: 'yaml' }, word: 'yaml' },
    { options: { output: 'constructor' }, word: 'constructor' },
    { options: { output: 'table', follow: true }, word: '--follow' },
    { options: { output: 'compact', fieldMask: ['time'] }, word: '--field-mask' },
  ])('refuses $options', ({ options, word }) => {
    const printer = createFlowPrinter(options);
    expect(printer.ok ? '' : printer.reason).toContain(word);
  });

  it.each(['compact', 'dict', 'table', 'json'])(
    'lets nothing through in %s that steers a terminal',
    (output) => {
      const steering = fc.constantFrom(
        '\x1b[2J',
        '\u009b31m',
        '\r',
        '\n',
        '\t',
        '\u202e',
        '\u2066',
        '\u2028',
        '\u200b',
        '\x07',
      );
      const evil = fc.tuple(fc.string(), steering, fc.string()).map((parts) => parts.join(''));
      fc.assert(
        fc.property(evil, (text) => {
          const flow = sampleFlow({
            verdict: text as never,
            node_name: text,
            source: { pod_name: text, namespace: text },
            destination: {},
            destination_names: [text],
            Summary: text,
            l7: { type: 'REQUEST', dns: { query: text, qtypes: [text], observation_source: text } },
          });
          const lost = { source: text as never, num_events_lost: text };
          const gone = status('NODE_ERROR', [text], text);
          const responses = [
            answer(flow),
            { ...LOST, lost_events: lost, node_name: text },
            { ...gone, node_name: text },
          ];
          const { out, err } = printed(responses, { output, printNodeName: true });
          expect(`${out}${err}`.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
          const lines = { compact: 3, dict: 19, table: 4, json: 3 }[output];
          expect(`${out}${err}`.trimEnd().split('\n')).toHaveLength(lines ?? 0);
        }),
      );
    },
  );

  const anything = fc
    .tuple(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.constantFrom('"', '\\', '\u0000', '\u202e', '\n}', ']', ': ', '   '),
    )
    .map((parts) => parts.join(''));
  const evilFlow = fc
    .record({ name: anything, space: anything, node: anything, summary: anything, query: anything })
    .map(({ name, space, node, summary, query }) =>
      sampleFlow({
        ...{
          source: { pod_name: name, namespace: space },
          destination: {},
          destination_names: [name, query],
        },
        ...{ destination_service: { name: query, namespace: space }, node_name: node, Summary: summary },
        l7: { type: 'RESPONSE', dns: { query, qtypes: [name], cnames: [space], observation_source: name } },
      }),
    );

  it('writes JSON that is read as what it was, whatever the names are', () => {
    fc.assert(
      fc.property(evilFlow, (flow) => {
        const { out } = printed([answer(flow)], { output: 'json' });
        expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(answer(flow))));
        expect(out.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    );
  });

  it('keeps the columns of a table where its head has them, whatever the names are', () => {
    fc.assert(
      fc.property(fc.array(evilFlow, { minLength: 1, maxLength: 5 }), (flows) => {
        const { out } = printed(flows.map(answer), { output: 'table', printNodeName: true });
        const [head = '', ...lines] = out.split('\n').slice(0, -1);
        expect(lines).toHaveLength(flows.length);
        const starts = ['VERDICT', 'SUMMARY'].map((column) => head.indexOf(column));
        for (const line of lines) {
          const characters = [...line];
          const [verdict = 0, summary = 0] = starts;
          expect(characters.slice(verdict, verdict + 'FORWARDED'.length).join('')).toBe('FORWARDED');
          expect(characters.slice(summary - 3, summary).join('')).toBe('   ');
        }
      }),
    );
  });

  it('keeps each key of a dict on a line of its own, whatever the names are', () => {
    fc.assert(
      fc.property(evilFlow, (flow) => {
        const { out } = printed([answer(flow)], { output: 'dict', printNodeName: true });
        const keys = out
          .split('\n')
          .slice(0, -1)
          .map((line) => line.slice(0, 13));
        expect(keys).toEqual([
          ...['  TIMESTAMP: ', '       NODE: ', '     SOURCE: ', 'DESTINATION: ', '       TYPE: '],
          ...['    VERDICT: ', '    SUMMARY: '],
        ]);
      }),
    );
  });

  it('puts no escape into a coloured line but its own', () => {
    fc.assert(
      fc.property(evilFlow, (flow) => {
        const { out } = printed([answer(flow)], { output: 'compact', color: true, printNodeName: true });
        const own = [31, 32, 33, 35, 36, 0].map((code) => `\x1b[${code}m`);
        const plain = own.reduce((text, sequence) => text.replaceAll(sequence, ''), out.slice(0, -1));
        expect(plain).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});
