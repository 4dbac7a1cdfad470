/**
 * The small plugins between any packet and any reply: nothing throws, what is sent is a well-formed reply to the query
 * within its size, and the reply that stands behind them (which a cache may share) is left as it was.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessage } from '../../src/dns/decode-message.ts';
import { encodeMessage } from '../../src/dns/encode-message.ts';
import type { Message } from '../../src/dns/message.ts';
import { ROOT } from '../../src/dns/name.ts';
import { anyMessage, anyName, NO_FLAGS } from '../../src/dns/testing/packets.ts';
import type { Setup } from '../../src/plugins/contract.ts';
import { fakeHost, setUp } from '../../src/plugins/fake-host.ts';
import { ip } from '../../src/plugins/fake-query.ts';
import { PLUGIN_ORDER } from '../../src/plugins/order.ts';
import type { Handler } from '../../src/server/handler.ts';
import { routerOf } from '../../src/server/router.ts';
import { type Arrival, firstMessage, serveQuery } from '../../src/server/serve-query.ts';

const LINES = [
  'acl {\nblock type TXT net 10.0.0.0/8\nfilter type MX\ndrop type NS\n}',
  'any',
  'bufsize 512',
  'chaos',
  'dns64 {\nallow_ipv4\ntranslate_all\n}',
  'header {\nquery clear rd\nresponse set aa ra\n}',
  'loadbalance {\nprefer 10.0.0.0/8\n}',
  'local',
  'metadata',
  'minimal',
  'nsid a server',
  "view v {\nexpr name() matches 'a' || size() > 30 || incidr(client_ip(), '10.0.0.0/8')\n}",
];

const question = fc.record({
  name: fc.oneof(anyName, fc.constantFrom('localhost.', 'version.bind.', '1.0.0.127.in-addr.arpa.', ROOT)),
  type: fc.constantFrom(1, 2, 15, 16, 28, 255, 252, 65280),
  class: fc.constantFrom(1, 1, 1, 3, 255),
});

const edns = fc.option(
  fc.record({
    version: fc.constant(0),
    udpSize: fc.constantFrom(0, 512, 600, 1232, 4096, 65535),
    dnssecOk: fc.boolean(),
    options: fc.array(
      fc.record({ code: fc.constantFrom(3, 8, 10, 15), data: fc.uint8Array({ maxLength: 20 }) }),
      {
        maxLength: 3,
      },
    ),
  }),
  { nil: undefined },
);

interface Asked {
  readonly question: Message['questions'][number];
  readonly edns: Message['edns'];
  readonly id: number;
  readonly tcp: boolean;
  readonly ipv6: boolean;
  readonly behind: Message;
  readonly fails: boolean;
}

const asked = fc.record({
  question,
  edns,
  id: fc.nat(65535),
  tcp: fc.boolean(),
  ipv6: fc.boolean(),
  behind: anyMessage,
  fails: fc.boolean(),
}) as fc.Arbitrary<Asked>;

function arrivalOf({ question: asking, edns: opt, id, tcp, ipv6 }: Asked): Arrival {
  const message: Message = {
    id,
    opcode: 0,
    rcode: 0,
    flags: { ...NO_FLAGS, recursionDesired: true },
    questions: [asking],
    answers: [],
    authorities: [],
    additionals: [],
    ...(opt && { edns: opt }),
  };
  return {
    bytes: encodeMessage(message),
    client: { address: ip(ipv6 ? 'fd00::7' : '10.0.0.7'), port: 4000 },
    local: { address: ip('10.0.0.1'), port: 53 },
    transport: tcp ? 'tcp' : 'udp',
    receivedAtMs: 0,
  };
}

async function setupOf(lines: string): Promise<Setup> {
  const word = /^\S+/.exec(lines)?.[0];
  const load = PLUGIN_ORDER.find((entry) => entry.word === word)?.load;
  if (load === undefined) throw new Error(`not built: ${word}`);
  return (await load()).setup;
}

describe('the small plugins', () => {
  it.each(LINES)('stand any packet and any reply: %s', async (lines) => {
    const setup = await setupOf(lines);
    const panics: unknown[] = [];
    await fc.assert(
      fc.asyncProperty(asked, async (each) => {
        const behind = (query: { message: Message }): Message => ({
          ...each.behind,
          id: query.message.id,
          flags: { ...each.behind.flags, response: true },
          questions: query.message.questions,
        });
        const host = fakeHost({ resolve: async (query) => (each.fails ? undefined : behind(query)) });
        const { plugin, view } = setUp(setup, lines, { host });
        let shared: Message | undefined;
        const upstream: Handler = (query) => {
          shared = behind(query);
          return each.fails ? { rcode: 2 } : { rcode: shared.rcode, message: shared };
        };
        const handler = plugin?.(upstream) ?? upstream;
        const accepts = view?.accepts;
        const route = { handler, zones: [ROOT], anyClass: true, ...(accepts && { accepts }) };
        const observer = { onPanic: () => void panics.push(each) };
        const context = { server: 'dns://:53', router: routerOf([route]), log: host.log, observer };
        const arrival = arrivalOf(each);
        const before = JSON.stringify(each.behind);
        const bytes = firstMessage(await serveQuery(arrival, context));
        expect(panics).toEqual([]);
        expect(JSON.stringify(each.behind)).toBe(before);
        if (bytes === undefined) return;
        const limit = each.tcp ? 65_535 : Math.max(512, each.edns?.udpSize ?? 0);
        expect(bytes.length).toBeLessThanOrEqual(limit);
        const decoded = decodeMessage(bytes);
        expect(decoded).toMatchObject({ ok: true, value: { id: each.id, flags: { response: true } } });
      }),
      { numRuns: 150 },
    );
  });
});
