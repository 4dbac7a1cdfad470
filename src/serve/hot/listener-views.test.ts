/**
 * Histories of reloads against what the kernel's rows may say meanwhile: they are as old as the agent is deaf. A view that
 * was once said of a place must never have answers of another listener than the one that has the place now.
 */
import { describe, expect, it } from 'vitest';
import { toPort } from '../../net/port.ts';
import { ip } from '../../plugins/fake-query.ts';
import type { BoundListener } from '../listener-set.ts';
import { serverLabel } from '../plan/listener-plan.ts';
import { ListenerViews, MAX_VIEW } from './listener-views.ts';

/** `*:53`, `127.0.0.5:53`, `[::]:53`, `tls *:53`; `*:0=4000` where the system chose. */
function bound(text: string): BoundListener {
  const [, tls, host = '', asked = '', real = asked] =
    /^(tls )?(\S+?):(\d+)(?:=(\d+))?$/.exec(text.replaceAll(/[[\]]/g, '')) ?? [];
  const transport = tls === undefined ? 'dns' : 'tls';
  const address = host === '*' ? undefined : ip(host);
  const port = Number(asked);
  const server = serverLabel({ transport, port, address });
  const plan = { transport, port, server, members: [], sockets: 1, ...(address && { address }) } as const;
  const addresses = address === undefined ? [ip('0.0.0.0'), ip('::')] : [address];
  return { plan, addresses: addresses.map((each) => ({ address: each, port: Number(real) })) };
}

/** Of each configuration the views in its order; undefined: it has none. */
function viewsThrough(...configurations: readonly (readonly string[])[]): (number | undefined)[][] {
  const views = new ListenerViews();
  return configurations.map((texts) => {
    const listeners = texts.map(bound);
    views.replace(listeners);
    return listeners.map(({ plan }) => views.of(plan.server));
  });
}

describe('a listener of all addresses', () => {
  it.each([
    ['another has one of them', ['*:53'], ['*:53', '127.0.0.5:53']],
    ['another has one of them no more', ['*:53', '127.0.0.5:53'], ['*:53']],
    ['another has a second one', ['*:53', '127.0.0.5:53'], ['*:53', '127.0.0.5:53', '127.0.0.6:53']],
    ['another has a different one', ['*:53', '127.0.0.5:53'], ['*:53', '127.0.0.6:53']],
    ['another is asked over TLS alone from now on', ['*:53', '127.0.0.5:53'], ['*:53', 'tls 127.0.0.5:53']],
    ['another moves to its port', ['*:53', '127.0.0.5:54'], ['*:53', '127.0.0.5:53']],
    ['another has a family of it', ['*:53'], ['*:53', '0.0.0.0:53']],
    ['it is one of IPv4 and another has one of them', ['0.0.0.0:53'], ['0.0.0.0:53', '127.0.0.5:53']],
    ['the system chose another port', ['*:0=4000'], ['*:0=4001']],
    [
      'another has one of them on the port that the system chose',
      ['*:0=4000'],
      ['*:0=4000', '127.0.0.5:4000'],
    ],
  ])('has another view when %s, and the one before when that is over', (_, one, other) => {
    const [[first] = [], [then] = [], [last] = []] = viewsThrough(one, other, one);
    expect(first).toBeDefined();
    expect(then).toBeDefined();
    expect(then).not.toBe(first);
    expect(last).toBe(first);
  });

  it.each([
    ['on another port', ['*:53'], ['*:53', '127.0.0.5:54']],
    ['over TLS', ['*:53'], ['*:53', 'tls 127.0.0.5:53']],
    ['of the other family', ['0.0.0.0:53'], ['0.0.0.0:53', '[fd00::1]:53']],
    ['in another order', ['*:53', '127.0.0.5:53', '127.0.0.6:53'], ['*:53', '127.0.0.6:53', '127.0.0.5:53']],
  ])('keeps its view whatever others have %s', (_, one, other) => {
    const [[first] = [], [then] = []] = viewsThrough(one, other);
    expect(then).toBe(first);
  });
});

describe('a listener of one address', () => {
  it('keeps its view whatever others do, also over a time without it', () => {
    const own = '127.0.0.5:53';
    const seen = viewsThrough([own], [own, '*:53'], [own, '127.0.0.6:53'], ['*:53'], [`tls ${own}`], [own]);
    expect(seen.flatMap(([view], i) => (i === 3 || i === 4 ? [] : [view]))).toEqual([1, 1, 1, 1]);
    expect(seen[4]).toEqual([undefined]);
  });

  it('has another one on another port, which may be its old one’s of somebody else', () => {
    const [first, then] = viewsThrough(['127.0.0.5:0=4000'], ['127.0.0.5:0=4001', '127.0.0.5:4000']);
    expect(first).toEqual([1]);
    expect(then).toEqual([2, 1]);
  });
});

describe('what the agent is told', () => {
  it('is each listener that is asked over UDP, a wildcard once and without an address', () => {
    const views = new ListenerViews();
    views.replace(['*:0=4000', '127.0.0.5:53', 'tls *:853'].map(bound));
    expect(views.told).toEqual([
      { port: 4000, view: 1 },
      { address: '127.0.0.5', port: 53, view: 2 },
    ]);
  });

  it('is none of all addresses once there is a listener without a number', () => {
    const views = new ListenerViews();
    const ports = Array.from({ length: 65_535 }, (_, i) => i + 1);
    views.replace(ports.slice(0, MAX_VIEW - 1).map((port) => bound(`127.0.0.1:${port}`)));
    views.replace(['*:53', '127.0.0.5:53'].map(bound));
    expect(views.of('dns://:53')).toBe(MAX_VIEW);
    expect(views.of('dns://127.0.0.5:53')).toBeUndefined();
    expect(views.told).toEqual([]);
    views.replace(['127.0.0.5:53', '127.0.0.1:54'].map(bound));
    expect(views.told).toEqual([{ address: '127.0.0.1', port: toPort(54), view: 54 }]);
  });
});
