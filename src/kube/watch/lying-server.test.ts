/** API servers that are wrong: what they say is doubted, asked again, or bounded, and what is known stays meanwhile. */
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
import type { Scene } from '../testing/scripted-server.ts';

// Real sockets on a busy machine: the waits inside are bounded by looks, not by this.
vi.setConfig({ testTimeout: 60_000 });

const opened: Followed[] = [];
afterEach(async () => {
  for (const followed of opened.splice(0)) await followed.close();
});

async function follow(scene: Scene, options?: FollowOptions): Promise<Followed> {
  const followed = await followCollection(scene, options);
  opened.push(followed);
  return followed;
}

const lists = ({ server }: Followed) => server.requests.filter((line) => !line.includes('watch=true'));
const watches = ({ server }: Followed) => server.requests.filter((line) => line.includes('watch=true'));

describe('a server that goes back in time', () => {
  const behind: readonly { name: string; line: string }[] = [
    { name: 'an event older than the list', line: event('ADDED', thing('ghost', 9)) },
    { name: 'a deletion older than the list', line: event('DELETED', thing('a', 3)) },
    { name: 'a bookmark older than the list', line: event('BOOKMARK', thing('', 9)) },
  ];
  it.each(behind)('is listed again after $name, which itself is not believed', async ({ line }) => {
    const restored: Scene = (_req, res) => sendList(res, [thing('b', 5)], { resourceVersion: '6' });
    const followed = await follow(
      sequence([listing('a'), restored], [(_req, res) => res.write(line), quiet]),
    );
    await followed.see('the restored state', () => followed.state.has('ns/b'));
    expect([...followed.state.keys()]).toEqual(['ns/b']);
    await followed.see('a watch from there', () => watches(followed).length === 2);
    expect(watches(followed)[1]).toContain('resourceVersion=6');
    expect(followed.log.lines.join()).toContain('went back from version 10');
  });

  it('is not suspected where versions are no numbers', async () => {
    const odd = (name: string, version: string) => ({
      metadata: { name, namespace: 'ns', resourceVersion: version },
    });
    const scene: Scene = (_req, res) =>
      res.write(event('ADDED', odd('b', 'zz-2')) + event('ADDED', odd('c', 'aa-1')));
    const list: Scene = (_req, res) => sendList(res, [odd('a', 'x')], { resourceVersion: 'mm-5' });
    const followed = await follow(sequence([list], [scene]));
    await followed.see('both', () => followed.state.size === 3);
    expect(lists(followed).length).toBe(1);
  });
});

describe('events that repeat or contradict each other', () => {
  it('come to the last word of each object', async () => {
    const lines = [
      event('ADDED', thing('b', 11)),
      event('ADDED', thing('b', 11)),
      event('DELETED', thing('never-seen', 12)),
      event('MODIFIED', thing('c', 13)),
      event('DELETED', thing('b', 14)),
      event('DELETED', thing('b', 14)),
    ];
    const followed = await follow(sequence([listing('a')], [(_req, res) => res.write(lines.join(''))]));
    await followed.see('all', () => followed.watch.stats().events === lines.length);
    expect([...followed.state.keys()]).toEqual(['ns/a', 'ns/c']);
  });
});

describe('a server that speaks of something else', () => {
  it('is not believed a list of another kind, which would empty what is known', async () => {
    const secrets: Scene = (_req, res) =>
      res.end(JSON.stringify({ kind: 'SecretList', metadata: { resourceVersion: '11' }, items: [] }));
    const gone: Scene = (_req, res) => res.writeHead(410).end('{"code":410}');
    const followed = await follow(sequence([listing('a'), secrets, listing('a', 'b')], [gone, quiet]), {
      kind: 'Thing',
    });
    await followed.see('a sound list', () => followed.state.size === 2);
    expect(followed.log.lines.join()).toContain('no page of a list');
  });

  it('is listed again after an event of another kind', async () => {
    const secret = { kind: 'Secret', metadata: { name: 's', namespace: 'ns', resourceVersion: '11' } };
    const followed = await follow(
      sequence([listing('a')], [(_req, res) => res.write(event('ADDED', secret)), quiet]),
      { kind: 'Thing' },
    );
    await followed.see('another list', () => followed.watch.stats().lists === 2);
    expect([...followed.state.keys()]).toEqual(['ns/a']);
  });
});

describe('a list that says that everything has gone', () => {
  const empty: Scene = (_req, res) => sendList(res, [], { resourceVersion: '20' });
  const gone: Scene = (_req, res) => res.writeHead(410).end('{"code":410}');

  it('is asked for again, and was a lie', async () => {
    const followed = await follow(sequence([listing('a'), empty, listing('a', 'b')], [gone, quiet]));
    await followed.see('the truth', () => followed.state.size === 2);
    expect(followed.watch.stats().lists).toBe(2);
  });

  it('is believed when it says so twice', async () => {
    const followed = await follow(sequence([listing('a'), empty, empty], [gone, quiet]));
    await followed.see('the second list', () => followed.watch.stats().lists === 2);
    expect(followed.state.size).toBe(0);
    expect(lists(followed).length).toBe(3);
  });
});

describe('a list from the cache', () => {
  it('asks for any state first, then for one not older than what is known', async () => {
    const gone: Scene = (_req, res) => res.writeHead(410).end('{"code":410}');
    const followed = await follow(sequence([listing('a')], [gone, quiet]), {
      fromCache: true,
      fieldSelector: 'spec.nodeName=w1',
    });
    await followed.see('two lists', () => followed.watch.stats().lists === 2);
    expect(lists(followed)).toEqual([
      'GET /api/v1/things?resourceVersion=0&fieldSelector=spec.nodeName%3Dw1',
      'GET /api/v1/things?resourceVersion=10&fieldSelector=spec.nodeName%3Dw1',
    ]);
  });

  it.each([
    {
      name: 'is behind what we know',
      status: 504,
      body: '{"code":504,"message":"Too large resource version"}',
    },
    { name: 'has forgotten that version', status: 410, body: '{"code":410,"reason":"Expired"}' },
  ])('asks for the truth when the server $name', async ({ status, body }) => {
    const gone: Scene = (_req, res) => res.writeHead(410).end('{"code":410}');
    const refused: Scene = (_req, res) => res.writeHead(status).end(body);
    const followed = await follow(sequence([listing('a'), refused, listing('a', 'b')], [gone, quiet]), {
      fromCache: true,
    });
    await followed.see('both', () => followed.state.size === 2);
    expect(lists(followed).at(-1)).toBe('GET /api/v1/things?limit=500');
  });
});

describe('a slow server', () => {
  it('cannot hold a watch with a byte now and then', async () => {
    let dribble: (() => void) | undefined;
    const slow: Scene = (_req, res) => {
      res.flushHeaders();
      dribble = () => void res.write('{');
    };
    const followed = await follow(sequence([listing('a')], [slow, quiet]));
    await followed.see('a watch', () => dribble !== undefined && followed.watch.stats().watches === 1);
    for (let minute = 0; minute < 4; minute++) {
      dribble?.();
      followed.clock.advance(60_000);
    }
    await followed.see('another watch', () => watches(followed).length === 2);
    expect(lists(followed).length).toBe(1);
  });

  it('is given up sooner once it has shown that it sends bookmarks', async () => {
    const bookmarked: Scene = (_req, res) => res.write(event('BOOKMARK', thing('', 12)));
    const followed = await follow(sequence([listing('a')], [bookmarked, quiet]));
    await followed.see('the bookmark', () => followed.watch.stats().events === 1);
    followed.clock.advance(150_000);
    await followed.see('another watch', () => watches(followed).length === 2);
    expect(watches(followed)[1]).toContain('resourceVersion=12');
    expect(followed.log.lines.filter((line) => line.startsWith('warning'))).toEqual([]);
  });

  it('that throttles is left alone for as long as its header says', async () => {
    const throttled: Scene = (_req, res) =>
      res.writeHead(429, { 'retry-after': '7' }).end('Too many requests, please try again later.');
    const followed = await follow(sequence([throttled, listing('a')], [quiet]));
    for (let look = 0; look < 2000 && followed.clock.pending() === 0; look++)
      await new Promise((resolve) => setTimeout(resolve, 5));
    followed.clock.advance(6_900);
    expect(followed.server.requests.length).toBe(1);
    await followed.see('the list', () => followed.state.size === 1);
  });
});

describe('objects that no server should send', () => {
  it('cost a few lines in the log, however many they are', async () => {
    const bad = Array.from({ length: 5_000 }, () => ({ metadata: { name: 7 } }));
    const scene: Scene = (_req, res) => sendList(res, [...bad, thing('good', 1)]);
    const followed = await follow(sequence([scene], [quiet]));
    await followed.see('the good one', () => followed.state.size === 1);
    expect(followed.watch.stats().badObjects).toBe(5_000);
    expect(followed.log.lines.length).toBeLessThan(20);
  });

  it('are skipped when they are nested deeper than any stack', async () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    const line = `{"type":"ADDED","object":{"metadata":{"name":${deep}}}}\n`;
    const scene: Scene = (_req, res) => res.write(line + event('ADDED', thing('b', 12)));
    const followed = await follow(sequence([listing('a')], [scene, quiet]));
    await followed.see(
      'what came after',
      () => followed.state.has('ns/b') || followed.watch.stats().lists > 1,
    );
    expect(followed.state.has('ns/a')).toBe(true);
  });
});

describe('a polled collection', () => {
  it('is listed now and then and never watched', async () => {
    const followed = await follow(sequence([listing('a'), listing('a', 'b')], [quiet]), {
      pollMs: (rows) => rows * 60_000,
    });
    await followed.see('the first list', () => followed.state.size === 1);
    followed.clock.advance(60_000);
    await followed.see('the second list', () => followed.state.size === 2);
    expect(watches(followed)).toEqual([]);
  });
});
