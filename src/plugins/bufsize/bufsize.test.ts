import { describe, expect, it } from 'vitest';
import { decodeMessage } from '../../dns/decode-message.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Handler, Query } from '../../server/handler.ts';
import { routerOf } from '../../server/router.ts';
import { firstMessage, serveQuery } from '../../server/serve-query.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { ask, record } from '../fake-query.ts';
import { setup } from './setup.ts';

/** The size the plugin behind sees, and the one the reply is to be held to. */
async function sizes(lines: string, udpSize: number | undefined) {
  let seen: Query | undefined;
  const behind: Handler = (query) => {
    seen = query;
    return { rcode: 0 };
  };
  const query = ask('a.test.', 'A', udpSize === undefined ? {} : { udpSize });
  const reply = await setUp(setup, lines).plugin?.(behind)(query);
  return { asked: seen?.message.edns?.udpSize, held: reply?.udpSize };
}

describe('bufsize', () => {
  it.each([
    { lines: 'bufsize', udpSize: 4096, asked: 1232, held: 1232 },
    { lines: 'bufsize', udpSize: 1233, asked: 1232, held: 1232 },
    { lines: 'bufsize', udpSize: 1232, asked: 1232, held: undefined },
    { lines: 'bufsize', udpSize: 512, asked: 512, held: undefined },
    { lines: 'bufsize', udpSize: 100, asked: 100, held: undefined },
    { lines: 'bufsize', udpSize: undefined, asked: undefined, held: undefined },
    { lines: 'bufsize 512', udpSize: 1232, asked: 512, held: 512 },
    { lines: 'bufsize 4096', udpSize: 65535, asked: 4096, held: 4096 },
    { lines: 'bufsize 4096', udpSize: 1232, asked: 1232, held: undefined },
  ])('$lines makes $asked of $udpSize', async ({ lines, udpSize, asked, held }) => {
    expect(await sizes(lines, udpSize)).toEqual({ asked, held });
  });

  it('holds replies over UDP to it, and has them say so', async () => {
    const answers = Array.from({ length: 60 }, (_, i) => record(`a.test. 30 A 192.0.2.${i}`));
    const behind: Handler = async (query) => ({ rcode: 0, message: replyTo(query.message, { answers }) });
    const handler = setUp(setup, 'bufsize 600').plugin?.(behind);
    if (handler === undefined) throw new Error('no plugin');
    const query = ask('a.test.', 'A', { udpSize: 4096 });
    const router = routerOf([{ handler, zones: [query.zone] }]);
    const arrival = { ...query, bytes: query.wire };
    const outcome = await serveQuery(arrival, {
      server: 'dns://:53',
      router,
      log: fakeHost().log,
      observer: {},
    });
    const served = firstMessage(outcome) ?? new Uint8Array(0);
    expect(served.length).toBeLessThanOrEqual(600);
    const decoded = decodeMessage(served);
    expect(decoded).toMatchObject({
      ok: true,
      value: { flags: { truncated: true }, edns: { udpSize: 600 } },
    });
  });

  it('tells packet threads to hold remembered answers to it', () => {
    expect(setUp(setup, 'bufsize 600').replay).toEqual({ does: 'limit', bytes: 600 });
  });

  it.each([
    ['a word', 'bufsize large', /Corefile:2 .* invalid integer: "large"/],
    ['too little', 'bufsize 511', /value must be between 512 and 4096: received 511/],
    ['too much', 'bufsize 4097', /value must be between 512 and 4096: received 4097/],
    ['less than nothing', 'bufsize -1', /between 512 and 4096: received -1/],
    ['two sizes', 'bufsize 512 1232', /unexpected line ending after '1232'/],
    ['an option', 'bufsize {\nudp 512\n}', /Corefile:3 .* unknown property 'udp'/],
    ['a second one', 'bufsize\nbufsize', /only be used once/],
  ])('refuses %s', (_case, lines, message) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });
});
