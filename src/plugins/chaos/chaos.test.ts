import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { CLASS } from '../../dns/codes.ts';
import { readTxt } from '../../dns/rdata/text.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { ask } from '../fake-query.ts';
import { setup } from './setup.ts';

const NEXT = { rcode: 5 };

async function reply(qname: string, lines = 'chaos', options: { type?: string; class?: number } = {}) {
  const draws = [0.9, 0.1, 0.5];
  const host = fakeHost({ random: () => draws.shift() ?? 0 });
  const handler = setUp(setup, lines, { host }).plugin?.(() => NEXT);
  return await handler?.(ask(qname, options.type ?? 'TXT', { class: options.class ?? CLASS.CH }));
}

async function texts(qname: string, lines?: string) {
  return (await reply(qname, lines))?.message?.answers.flatMap((record) => readTxt(record) ?? []);
}

describe('chaos', () => {
  it.each([
    ['version.bind.', 'chaos', ['CoreDNS-1.14.7']],
    ['version.server.', 'chaos', ['CoreDNS-1.14.7']],
    ['VERSION.bind.', 'chaos', ['CoreDNS-1.14.7']],
    ['version.bind.', 'chaos mine-1', ['mine-1']],
    ['version.server.', 'chaos "my server" me', ['my server']],
    ['hostname.bind.', 'chaos', [hostname()]],
    ['id.server.', 'chaos mine-1', [hostname()]],
    ['authors.bind.', 'chaos v ada', ['ada']],
    ['authors.bind.', 'chaos v ada bob cem', ['bob', 'cem', 'ada']],
    ['authors.bind.', 'chaos v ada ada', ['ada']],
    ['authors.bind.', 'chaos', ['the authors of zerohop']],
    ['version.bind.', `chaos ${'x'.repeat(300)}`, ['x'.repeat(255)]],
    ['version.bind.', `chaos ${'ü'.repeat(130)}`, ['ü'.repeat(127)]],
  ])('answers %s of %s', async (qname, lines, expected) => {
    expect(await texts(qname, lines)).toEqual(expected);
  });

  it('answers in class CH, under the name as it was asked, for nobody to keep', async () => {
    const answer = await reply('Version.Bind.');
    expect(answer?.message?.answers[0]).toMatchObject({
      name: 'Version.Bind.',
      class: CLASS.CH,
      ttlSeconds: 0,
    });
  });

  it.each([
    { name: 'class IN', qname: 'version.bind.', options: { class: CLASS.IN } },
    { name: 'class HS', qname: 'version.bind.', options: { class: CLASS.HS } },
    { name: 'another type', qname: 'version.bind.', options: { type: 'A' } },
    { name: 'type ANY', qname: 'version.bind.', options: { type: 'ANY' } },
    { name: 'another name', qname: 'versions.bind.', options: {} },
    { name: 'a name below', qname: 'a.version.bind.', options: {} },
  ])('passes $name on', async ({ qname, options }) => {
    expect(await reply(qname, 'chaos', options)).toBe(NEXT);
  });

  it('asks for queries of all classes, and has nothing to do with remembered answers', () => {
    expect(setUp(setup, 'chaos')).toMatchObject({ anyClass: true, replay: { does: 'nothing' } });
  });

  it.each([
    ['an option', 'chaos {\nversion 3\n}', /Corefile:3 .* unknown property 'version'/],
    ['a second one', 'chaos\nchaos', /only be used once/],
  ])('refuses %s', (_case, lines, message) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });
});
