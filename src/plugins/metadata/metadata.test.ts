import { describe, expect, it } from 'vitest';
import type { Query, Reply } from '../../server/handler.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { ask } from '../fake-query.ts';
import { setup } from './setup.ts';

/** What stands in a query's metadata when it reaches the plugin behind. */
async function seen(lines: string, qname: string): Promise<Record<string, string>> {
  const describers = [
    (query: Query) => void query.metadata.set('one/name', query.question.name),
    (query: Query) => void query.metadata.set('two/port', String(query.client.port)),
  ];
  let found: Record<string, string> = {};
  const behind = (query: Query): Reply => {
    found = Object.fromEntries(query.metadata);
    return { rcode: 0 };
  };
  const { plugin } = setUp(setup, lines, { host: fakeHost({ neighbours: { describers } }) });
  await plugin?.(behind)(ask(qname));
  return found;
}

const ALL = (name: string) => ({ 'one/name': name, 'two/port': '40000' });

describe('metadata', () => {
  it.each([
    { name: 'the zones of the block by default', lines: 'metadata', qname: 'a.test.', says: ALL('a.test.') },
    { name: 'a zone that is named', lines: 'metadata test', qname: 'A.Test.', says: ALL('A.Test.') },
    { name: 'one of several zones', lines: 'metadata org test', qname: 'test.', says: ALL('test.') },
    { name: 'no other zone', lines: 'metadata test', qname: 'a.example.', says: {} },
    { name: 'no name that only ends alike', lines: 'metadata test', qname: 'mytest.', says: {} },
    {
      name: 'a reverse zone',
      lines: 'metadata 10.0.0.0/8',
      qname: '1.0.0.10.in-addr.arpa.',
      says: ALL('1.0.0.10.in-addr.arpa.'),
    },
  ])('describes queries of $name', async ({ lines, qname, says }) => {
    expect(await seen(lines, qname)).toEqual(says);
  });

  it.each([
    ['an option', 'metadata {\nmap x\n}', /Corefile:3 .* unknown property 'map'/],
    ['a second one', 'metadata\nmetadata', /only be used once/],
  ])('refuses %s', (_case, lines, message) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });
});
