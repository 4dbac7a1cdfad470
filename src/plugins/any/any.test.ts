import { describe, expect, it } from 'vitest';
import { TYPE } from '../../dns/codes.ts';
import type { Handler } from '../../server/handler.ts';
import { setUp } from '../fake-host.ts';
import { ask } from '../fake-query.ts';
import { setup } from './setup.ts';

const behind: Handler = () => ({ rcode: 3 });

async function answer(type: string, qname = 'Example.org.') {
  const handler = setUp(setup, 'any').plugin?.(behind);
  if (handler === undefined) throw new Error('no plugin');
  return await handler(ask(qname, type));
}

describe('any', () => {
  it('answers ANY with the HINFO record of RFC 8482, under the name as it was asked', async () => {
    const { rcode, message } = await answer('ANY');
    expect(rcode).toBe(0);
    expect(message?.answers).toHaveLength(1);
    expect(message?.answers[0]).toMatchObject({
      name: 'Example.org.',
      type: TYPE.HINFO,
      class: 1,
      ttlSeconds: 8482,
    });
    const text = new TextDecoder().decode(message?.answers[0]?.rdata);
    expect(text).toBe('\u000dANY obsoleted\u000cSee RFC 8482');
    expect(message?.flags).toMatchObject({ response: true, authoritative: false, recursionDesired: true });
  });

  it.each(['A', 'HINFO', 'TXT', 'AXFR', 'MAILB'])('passes %s on', async (type) => {
    expect(await answer(type)).toEqual({ rcode: 3 });
  });

  it('leaves answers from packet threads as they are', () => {
    expect(setUp(setup, 'any').replay).toEqual({ does: 'nothing' });
  });

  it.each([
    ['an argument', 'any example.org', /Corefile:2 .* unexpected line ending after 'example.org'/],
    ['an option', 'any {\ntype A\n}', /Corefile:3 .* unknown property 'type'/],
    ['a second one', 'any\nany', /only be used once/],
  ])('refuses %s', (_case, lines, message) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });
});
