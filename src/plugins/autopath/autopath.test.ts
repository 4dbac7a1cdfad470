import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RCODE } from '../../dns/codes.ts';
import { canonicalName } from '../../dns/name.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Handler, Query } from '../../server/handler.ts';
import type { SearchPath } from '../contract.ts';
import { fakeHost, name, setUp } from '../fake-host.ts';
import { ask, record } from '../fake-query.ts';
import { setup } from './setup.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerohop-autopath-'));
writeFileSync(
  join(directory, 'resolv.conf'),
  'nameserver 10.0.0.1\nsearch ns.svc.cluster.local svc.cluster.local example.net\n',
);
afterAll(() => rmSync(directory, { recursive: true }));

/** Knows some names; of `bad.` it only says that something went wrong. */
function world(...records: string[]) {
  const asked: string[] = [];
  const known = records.map(record);
  const handler: Handler = ({ message, question }) => {
    asked.push(question.name);
    if (question.name.startsWith('bad.')) return { rcode: RCODE.SERVFAIL, error: new Error('broken') };
    const answers = known.filter((one) => canonicalName(one.name) === canonicalName(question.name));
    const rcode = answers.length === 0 ? RCODE.NXDOMAIN : RCODE.NOERROR;
    const fitting = answers.filter((one) => one.type === question.type);
    return { rcode, message: replyTo(message, { rcode, answers: fitting }) };
  };
  return { asked, handler };
}

function start(lines = 'autopath resolv.conf', { searchPath }: { searchPath?: SearchPath } = {}) {
  const host = fakeHost({
    directory,
    neighbours: { searchPath: (word) => (word === 'kubernetes' ? searchPath : undefined) },
  });
  const instance = setUp(setup, lines, { host });
  const over = (next: Handler, query: Query) => Promise.resolve(instance.plugin?.(next)(query));
  return { host, instance, over };
}

const COUNTED = 'coredns_autopath_success_total{server="dns://:53"}';

describe('autopath', () => {
  it('asks for the name with every suffix, and as it stands last', async () => {
    const { over, host } = start();
    const { asked, handler } = world('www.example.org. 30 A 192.0.2.1');
    const reply = await over(handler, ask('www.example.org.ns.svc.cluster.local.'));
    expect(asked).toEqual([
      'www.example.org.ns.svc.cluster.local.',
      'www.example.org.svc.cluster.local.',
      'www.example.org.example.net.',
      'www.example.org.',
    ]);
    expect(reply?.message?.rcode).toBe(RCODE.NOERROR);
    expect(reply?.message?.questions[0]?.name).toBe('www.example.org.ns.svc.cluster.local.');
    expect(reply?.message?.answers).toEqual([
      record('www.example.org.ns.svc.cluster.local. 30 CNAME www.example.org.'),
      record('www.example.org. 30 A 192.0.2.1'),
    ]);
    expect(await host.metric(COUNTED)).toBe(1);
  });

  it('stops at the first name that exists, without an alias for the name itself', async () => {
    const { over } = start();
    const { asked, handler } = world('Web.ns.svc.cluster.local. 5 A 10.96.0.1', 'web. 5 A 192.0.2.1');
    const reply = await over(handler, ask('WEB.ns.svc.cluster.local.'));
    expect(asked).toHaveLength(1);
    expect(reply?.message?.answers).toEqual([record('Web.ns.svc.cluster.local. 5 A 10.96.0.1')]);
  });

  it('takes a name without records of the type for found', async () => {
    const { over } = start();
    const { handler } = world('web.svc.cluster.local. 5 A 10.96.0.1', 'web. 5 AAAA 2001:db8::1');
    const reply = await over(handler, ask('web.ns.svc.cluster.local.', 'AAAA'));
    expect(reply?.message).toMatchObject({ rcode: RCODE.NOERROR, answers: [] });
    expect(reply?.message?.questions[0]?.name).toBe('web.ns.svc.cluster.local.');
  });

  it('gives the reply to the query itself when nothing exists', async () => {
    const { over, host } = start();
    const { asked, handler } = world();
    const reply = await over(handler, ask('nothing.ns.svc.cluster.local.'));
    expect(asked).toHaveLength(4);
    expect(reply?.rcode).toBe(RCODE.NXDOMAIN);
    expect(reply?.message?.questions[0]?.name).toBe('nothing.ns.svc.cluster.local.');
    expect(await host.metric(COUNTED)).toBeUndefined();
  });

  it('gives a failure on at once', async () => {
    const { over } = start();
    const { asked, handler } = world();
    expect(await over(handler, ask('bad.ns.svc.cluster.local.'))).toMatchObject({ rcode: RCODE.SERVFAIL });
    expect(asked).toHaveLength(1);
  });

  it.each([
    ['a name under no suffix', 'www.example.org.'],
    ['a name under a later suffix', 'web.svc.cluster.local.'],
    ['the suffix itself', 'ns.svc.cluster.local.'],
    ['the root', '.'],
  ])('leaves %s alone', async (_case, qname) => {
    const { over } = start();
    const { asked, handler } = world();
    await over(handler, ask(qname));
    expect(asked).toEqual([qname]);
  });

  it('leaves names outside of its zones alone', async () => {
    const { over } = start('autopath example.org resolv.conf');
    const { asked, handler } = world();
    await over(handler, ask('web.ns.svc.cluster.local.'));
    expect(asked).toHaveLength(1);
  });

  it('skips suffixes that make the name too long', async () => {
    const { over } = start('autopath @kubernetes', {
      searchPath: () => [name('a'), name(`${'x'.repeat(60)}.${'y'.repeat(60)}.${'z'.repeat(60)}`), name('b')],
    });
    const long = `${'1'.repeat(60)}.${'2'.repeat(20)}`;
    const { asked, handler } = world();
    await over(handler, ask(`${long}.a.`));
    expect(asked).toEqual([`${long}.a.`, `${long}.b.`]);
  });

  it('asks the other plugin of the block for the path of the client', async () => {
    const { over, instance, host } = start('autopath @kubernetes', {
      searchPath: ({ client }) =>
        client.address === '10.0.0.7' ? [name('shop.svc.cluster.local'), name('.')] : undefined,
    });
    void instance.onStart?.();
    expect(host.lines).toEqual([]);
    const { asked, handler } = world();
    await over(handler, ask('web.shop.svc.cluster.local.', 'A', { client: '10.0.0.7' }));
    await over(handler, ask('web.shop.svc.cluster.local.', 'A', { client: '10.0.0.8' }));
    expect(asked).toEqual(['web.shop.svc.cluster.local.', 'web.', 'web.shop.svc.cluster.local.']);
  });

  it('says at the start that nobody knows the paths', () => {
    const { instance, host } = start('autopath @kubernetes');
    void instance.onStart?.();
    expect(host.lines).toEqual([
      '[WARNING] autopath has no effect: kubernetes in this block knows no search paths',
    ]);
  });

  it.each([
    ['autopath', 'no resolv-conf specified'],
    ['autopath missing.conf', 'failed to parse "missing.conf": '],
    ['autopath resolv.conf {\n ttl 5\n}', "unknown property 'ttl'"],
    ['autopath resolv.conf\nautopath resolv.conf', 'this plugin can only be used once per Server Block'],
  ])('refuses %j', (lines, reason) => {
    expect(() => start(lines)).toThrow(reason);
  });
});
