import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  event,
  type Followed,
  type FollowOptions,
  followCollection,
  listing,
  quiet,
  sendList,
  sequence,
  thing,
} from '../testing/followed-collection.ts';
import { type Scene, until } from '../testing/scripted-server.ts';

// Real sockets on a busy machine: the waits inside are bounded by looks, not by this.
vi.setConfig({ testTimeout: 30_000 });

const opened: Followed[] = [];
afterEach(async () => {
  for (const followed of opened.splice(0)) await followed.close();
});

async function follow(scene: Scene, options: FollowOptions = {}): Promise<Followed> {
  const followed = await followCollection(scene, options);
  opened.push(followed);
  return followed;
}

describe('startListWatch', () => {
  it('lists in pages and watches from the version of the list', async () => {
    const pages: Scene = (_req, res, url) => {
      const token = url.searchParams.get('continue');
      if (token === null) sendList(res, [thing('a', 1)], { resourceVersion: '7', continue: 'next page' });
      else sendList(res, [thing('b', 2)], { resourceVersion: '7' });
    };
    const { server, state, see } = await follow(sequence([pages], [quiet]));
    await see('a watch', () => server.requests.length === 3);
    expect([...state.keys()]).toEqual(['ns/a', 'ns/b']);
    expect(server.requests.slice(0, 2)).toEqual([
      'GET /api/v1/things?limit=500',
      'GET /api/v1/things?limit=500&continue=next+page',
    ]);
    expect(server.requests[2]).toContain('resourceVersion=7');
    expect(server.requests[2]).toContain('allowWatchBookmarks=true');
  });

  it('takes the whole list at once when the continue token has expired', async () => {
    const pages: Scene = (_req, res, url) => {
      if (url.searchParams.get('continue') !== null)
        res.writeHead(410).end('{"code":410,"reason":"Expired"}');
      else if (url.searchParams.has('limit'))
        sendList(res, [thing('a', 1)], { resourceVersion: '7', continue: 'x' });
      else sendList(res, [thing('a', 1), thing('b', 2)]);
    };
    const { state, see } = await follow(sequence([pages], [quiet]));
    await see('both', () => state.size === 2);
  });

  it.each([
    {
      name: 'repeats a page for ever',
      answer: { metadata: { resourceVersion: '7', continue: 'same' }, items: [] },
    },
    { name: 'is no list', answer: { kind: 'Thing', metadata: { resourceVersion: '7' }, items: {} } },
    { name: 'has no version', answer: { items: [] } },
  ])('does not believe a list that $name', async ({ answer }) => {
    const strange: Scene = (_req, res) => res.end(JSON.stringify(answer));
    const { state, see, log } = await follow(sequence([strange, strange, strange, listing('a')], [quiet]));
    await see('a sound list', () => state.size === 1);
    expect(log.lines[0]).toContain('no page of a list');
  });

  it('applies events however the lines are cut into chunks', async () => {
    const bytes = new TextEncoder().encode(
      event('ADDED', thing('ü', 11)) + event('MODIFIED', thing('a', 12)) + event('DELETED', thing('b', 13)),
    );
    const dribble: Scene = (_req, res) => {
      const next = (i: number): void => {
        if (i < bytes.length) res.write(bytes.slice(i, i + 7), () => next(i + 7));
      };
      next(0);
    };
    const { state, see, watch } = await follow(sequence([listing('a', 'b')], [dribble]));
    await see('three events', () => watch.stats().events === 3);
    expect([...state.keys()]).toEqual(['ns/a', 'ns/ü']);
  });

  it('continues a watch that the server ended from the last version it saw, bookmarks included', async () => {
    const short: Scene = (_req, res) =>
      res.end(event('ADDED', thing('b', 15)) + event('BOOKMARK', thing('', 20)));
    const { server, state, see } = await follow(sequence([listing('a')], [short, quiet]));
    await see('a second watch', () => server.requests.length === 3);
    expect(server.requests[2]).toContain('resourceVersion=20');
    expect([...state.keys()]).toEqual(['ns/a', 'ns/b']);
  });

  const relists: readonly { name: string; watch: Scene; badLines: number }[] = [
    {
      name: 'a line that is not JSON',
      watch: (_req, res) => res.write('{"type":"ADDED","obj\n'),
      badLines: 1,
    },
    { name: 'JSON that is no event', watch: (_req, res) => res.write('{"kind":"Pod"}\n'), badLines: 1 },
    { name: 'an endless line', watch: (_req, res) => res.write('x'.repeat(9 * 1024 * 1024)), badLines: 1 },
    {
      name: 'an ERROR event of 410',
      watch: (_req, res) =>
        res.write(event('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' })),
      badLines: 0,
    },
    {
      name: 'an ERROR event of 500',
      watch: (_req, res) => res.write(event('ERROR', { kind: 'Status', code: 500, reason: 'InternalError' })),
      badLines: 0,
    },
    { name: 'an answer of 410', watch: (_req, res) => res.writeHead(410).end('{"code":410}'), badLines: 0 },
  ];
  it.each(relists)(
    'lists again after $name, keeps what it knows until then, and says so',
    async ({ watch: scene, badLines }) => {
      const { server, state, see, watch, log } = await follow(
        sequence([listing('a'), listing('b')], [scene, quiet]),
      );
      await see('the first list', () => state.has('ns/a'));
      await see('a second list', () => state.has('ns/b'));
      expect([...state.keys()]).toEqual(['ns/b']);
      expect(watch.stats()).toMatchObject({ lists: 2, badLines });
      expect(log.lines.filter((line) => line.startsWith('warning watch of things broke')).length).toBe(1);
      expect(server.requests.filter((request) => request.includes('limit=')).length).toBe(2);
    },
  );

  it('applies the good lines before a bad one', async () => {
    const mixed: Scene = (_req, res) =>
      res.write(`${event('ADDED', thing('b', 11))}garbage\n${event('DELETED', thing('a', 12))}`);
    const never: Scene = () => undefined;
    const { state, see, watch } = await follow(sequence([listing('a'), never], [mixed]));
    await see('the bad line', () => watch.stats().badLines === 1);
    expect([...state.keys()]).toEqual(['ns/a', 'ns/b']);
  });

  it('keeps what it knows while the server refuses, and recovers', async () => {
    const broken: Scene = (_req, res) => res.destroy();
    const refused: Scene = (_req, res) => res.writeHead(503).end('busy');
    const back: Scene = (_req, res) => res.write(event('ADDED', thing('b', 11)));
    const { state, see, watch } = await follow(sequence([listing('a')], [broken, refused, refused, back]));
    await see('a failure', () => watch.stats().failing);
    expect([...state.keys()]).toEqual(['ns/a']);
    await see('the event after the outage', () => state.has('ns/b'));
    expect(watch.stats()).toMatchObject({ lists: 1, failing: false });
  });

  it('gives up a watch on which nothing comes for minutes, and opens another', async () => {
    const { server, see, clock, log } = await follow(sequence([listing('a')], [quiet]));
    await see('a watch', () => server.requests.length === 2);
    clock.advance(4 * 60_000);
    await see('another watch', () => server.requests.length === 3);
    expect(log.lines.join()).toContain('silent for too long');
  });

  it('skips a bad object by name and keeps those around it', async () => {
    const list: Scene = (_req, res) =>
      sendList(res, [{ metadata: { name: 7 } }, null, 'x', thing('good', 1)]);
    const { state, see, watch, log } = await follow(sequence([list], [quiet]));
    await see('the list', () => state.size > 0);
    expect([...state.keys()]).toEqual(['ns/good']);
    expect(watch.stats().badObjects).toBe(3);
    expect(log.lines.filter((line) => line.includes('skipped things')).length).toBe(3);
  });

  it('asks again every few seconds for a kind that does not exist, and finds it', async () => {
    const absent: Scene = (_req, res) => res.writeHead(404).end('{"code":404,"reason":"NotFound"}');
    const { state, see, missing, clock, server, log } = await follow(
      sequence([absent, absent, listing('a')], [quiet]),
    );
    await until('the first refusal', () => missing.length === 1 && clock.pending() > 0);
    clock.advance(3_000);
    expect(server.requests.length).toBe(1);
    await see('the kind', () => state.has('ns/a'));
    expect(missing).toEqual([true, false]);
    expect(log.lines.filter((line) => line.includes('not known')).length).toBe(1);
  });

  it.each([
    { name: 'forgets a custom kind whose definition stays away', mayGo: true, left: 0 },
    { name: 'keeps what it knows of any other', mayGo: false, left: 1 },
  ])('$name', async ({ mayGo, left }) => {
    const absent: Scene = (_req, res) => res.writeHead(404).end('{"code":404,"reason":"NotFound"}');
    const forget: Scene = (_req, res) =>
      res.end(event('ERROR', { kind: 'Status', code: 410, reason: 'Expired' }));
    const scene = sequence([listing('a'), absent], [forget]);
    const { state, see, server, missing } = await follow(scene, { mayGo });
    await see('the list', () => state.size === 1);
    await see('a refusal', () => missing.length === 1);
    expect(state.size).toBe(1);
    await see('half a minute of refusals', () => server.requests.length >= 12);
    expect([state.size, missing]).toEqual([left, [true]]);
  });

  it('leaves no timer and no request behind when closed', async () => {
    const { server, see, watch, clock } = await follow(sequence([listing('a')], [quiet]));
    await see('a watch', () => watch.stats().watches === 1);
    watch.close();
    await until('no timers', () => clock.pending() === 0);
    clock.advance(600_000);
    expect(server.requests.length).toBe(2);
  });
});
