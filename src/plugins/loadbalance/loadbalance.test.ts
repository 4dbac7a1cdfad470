import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Message } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Query, Reply } from '../../server/handler.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { ask, record } from '../fake-query.ts';
import { setup } from './setup.ts';
import { shuffled } from './shuffle.ts';

const A = (last: number) => record(`web.example. 30 A 192.0.2.${last}`);
const CNAME = record('www.example. 30 CNAME web.example.');
const TXT = record('web.example. 30 TXT hello');
const MX = (preference: number) => ({ ...TXT, type: 15, rdata: Uint8Array.of(0, preference, 0) });

async function balanced(query: Query, content: Partial<Message>): Promise<{ before: Message; after: Reply }> {
  const before = { ...replyTo(query.message), ...content };
  const { plugin } = setUp(setup, 'loadbalance round_robin', { host: fakeHost({ random: () => 0.5 }) });
  const handler = plugin?.(() => ({ rcode: before.rcode, message: before }));
  if (handler === undefined) throw new Error('no plugin');
  return { before, after: await handler(query) };
}

describe('shuffled', () => {
  it('puts CNAMEs first, other types next, then addresses, then MX', () => {
    const types = shuffled([MX(1), A(1), TXT, CNAME, A(2)], () => 0.5).map(({ type }) => type);
    expect(types).toEqual([5, 16, 1, 1, 15]);
  });

  it('can bring every address to the front', () => {
    const draws = [0.9, 0.1, 0.5, 0.2, 0.7];
    let i = 0;
    const random = () => draws[i++ % draws.length] ?? 0;
    const addresses = [A(1), A(2), A(3)];
    const firsts = Array.from({ length: 20 }, () => shuffled(addresses, random)[0]);
    expect(new Set(firsts).size).toBe(3);
  });

  it('loses nothing, adds nothing and leaves the list it was given alone', () => {
    const any = fc.constantFrom(A(1), A(2), TXT, CNAME, MX(1), MX(2));
    fc.assert(
      fc.property(
        fc.array(any),
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        (list, draws) => {
          const copy = [...list];
          const result = shuffled(list, () => draws.next().value);
          expect(list).toEqual(copy);
          expect(result).toHaveLength(list.length);
          for (const each of list) {
            expect(result.filter((other) => other === each)).toHaveLength(
              list.filter((o) => o === each).length,
            );
          }
        },
      ),
    );
  });
});

describe('loadbalance', () => {
  it('arranges every section and leaves the reply it was given as it was', async () => {
    const lists = { answers: [A(1), CNAME], authorities: [A(2), CNAME], additionals: [A(3), CNAME] };
    const { before, after } = await balanced(ask('www.example.'), lists);
    expect(after.message).toMatchObject({
      answers: [CNAME, A(1)],
      authorities: [CNAME, A(2)],
      additionals: [CNAME, A(3)],
    });
    expect(before).toMatchObject(lists);
  });

  it('hands on a reply with nothing to arrange as it is', async () => {
    const single = await balanced(ask('www.example.'), { answers: [A(1)] });
    expect(single.after.message).toBe(single.before);
  });

  it('leaves errors and zone transfers alone', async () => {
    const answers = [A(1), CNAME];
    const failed = await balanced(ask('www.example.'), { answers, rcode: 2 });
    expect(failed.after.message).toBe(failed.before);
    const transfer = await balanced(ask('www.example.', 'AXFR'), { answers });
    expect(transfer.after.message).toBe(transfer.before);
  });

  it('passes a reply without a message through', async () => {
    const { plugin } = setUp(setup, 'loadbalance');
    expect(await plugin?.(async () => ({ rcode: 2 }))(ask('www.example.'))).toEqual({ rcode: 2 });
  });

  it.each([
    ['an unknown policy', 'loadbalance fairly', /unknown policy: fairly/],
    ['weighted without a file', 'loadbalance weighted', /missing weight file argument/],
    ['weighted with two files', 'loadbalance weighted a b', /unexpected argument\(s\)/],
    ['prefer without networks', 'loadbalance {\nprefer\n}', /Corefile:3 .* after 'prefer'/],
    ['prefer with what is no network', 'loadbalance {\nprefer 10.0.0\n}', /invalid CIDR "10.0.0"/],
    ['reload without weighted', 'loadbalance {\nreload 5s\n}', /unknown property 'reload'/],
    ['reload without a unit', 'loadbalance weighted f {\nreload 5\n}', /missing unit in duration "5"/],
    ['reload in the past', 'loadbalance weighted f {\nreload -5s\n}', /duration must be at least 0s/],
    ['an argument of round_robin', 'loadbalance round_robin fairly', /after 'fairly'/],
    ['an unknown option', 'loadbalance {\nmost 3\n}', /unknown property 'most'/],
    ['a second one', 'loadbalance\nloadbalance', /only be used once/],
  ])('refuses %s', (_case, lines, message) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });
});
