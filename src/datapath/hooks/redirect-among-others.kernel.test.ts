/** Who answers a pod's query, by both ways of hanging, and beside programs of others that pass, end, or come later. Needs root. */
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { listFilters, removeClsact } from '../../sys/hook/filters.ts';
import { findInterface } from '../../sys/interface.ts';
import type { Datapath, LocalPod } from '../datapath.ts';
import { type DatapathOptions, removeDatapath } from '../open-datapath.ts';
import { hangByFilter, hangByTcx, NEXT, OK, type OtherOwner } from '../testing/other-owner.ts';
import { FALLBACK, LOCAL, RedirectRig, VIP } from '../testing/redirect-rig.ts';

const CLIENT_SCRIPT = join(import.meta.dirname, '../testing/test-client.ts');
const BY_BACKEND = [LOCAL, LOCAL];
const BY_FALLBACK = [FALLBACK, FALLBACK];

let rig: RedirectRig;
let datapath: Datapath | undefined;
let owners: OtherOwner[] = [];
let ifindex: number;

beforeAll(async () => {
  rig = await RedirectRig.open('among');
  ifindex = findInterface(rig.client.ifname)?.ifindex ?? 0;
});

beforeEach(() => {
  owners = [];
});

afterEach(() => {
  datapath?.remove();
  datapath = undefined;
  for (const owner of owners) owner.close();
  removeClsact(ifindex);
});

afterAll(() => rig.close());

async function redirect(
  options: Partial<DatapathOptions> = {},
  client: Partial<LocalPod> = {},
): Promise<Datapath> {
  datapath = rig.openDatapath(options);
  await datapath.apply(rig.spec(client));
  return datapath;
}

function clientRow(): ReturnType<Datapath['interfaces']>[number] | undefined {
  return datapath?.interfaces().find((row) => row.pod === 'default/client');
}

function tcx(verdict: number, place: 'first' | 'last'): void {
  owners.push(hangByTcx(ifindex, { name: 'cni_egress', verdict, place }));
}

function filter(verdict: number): void {
  hangByFilter({ ifindex, direction: 'in', priority: 1, handle: 1 }, { name: 'cni_filter', verdict });
}

describe.each(['tcx', 'clsact'] as const)('by %s', (hookKind) => {
  test('a query is redirected, and goes its ordinary way when all is removed', async () => {
    await redirect({ hookKind });
    expect(rig.ask()).toEqual(BY_BACKEND);
    expect(clientRow()).toMatchObject({ hook: { kind: hookKind, order: 'alone' }, redirects: true });
    datapath?.remove();
    expect(rig.ask()).toEqual(BY_FALLBACK);
    expect([...listFilters(ifindex, 'in'), ...listFilters(ifindex, 'out')]).toEqual([]);
  });

  test('cleaning up where no agent runs takes everything away', async () => {
    (await redirect({ hookKind })).close();
    expect(rig.ask()).toEqual(BY_BACKEND);
    removeDatapath(rig.pinDirectory);
    expect(rig.ask()).toEqual(BY_FALLBACK);
    expect(listFilters(ifindex, 'in')).toEqual([]);
  });

  test('restarts lose no query and no answer of a socket that stays open', async () => {
    await redirect({ hookKind });
    const client = rig.network.spawn(rig.client.netns, process.execPath, CLIENT_SCRIPT, VIP);
    const { stdin, stdout } = client;
    if (stdin === null || stdout === null) throw new Error('The client has no pipes');
    const answers = createInterface({ input: stdout })[Symbol.asyncIterator]();
    await answers.next();
    for (let restart = 0; restart < 5; restart++) {
      for (let i = 0; i < 20; i++) stdin.write('\n');
      datapath?.close();
      await redirect({ hookKind });
      for (let i = 0; i < 20; i++) expect((await answers.next()).value).toBe(LOCAL);
    }
    await rig.network.kill(client);
  });

  test('a pod that is only to be observed is not redirected', async () => {
    await redirect({ hookKind }, { observeOnly: true, permitted: true });
    expect(rig.ask()).toEqual(BY_FALLBACK);
    expect(datapath?.counters().fellBack['not-permitted']).toBeGreaterThan(0n);
    expect(clientRow()).toMatchObject({ redirects: false });
  });
});

describe('last, the default,', () => {
  test.each([
    { name: 'a TCX owner that lets others run', hang: () => tcx(NEXT, 'first'), answered: BY_BACKEND },
    { name: 'a TCX owner that decides', hang: () => tcx(OK, 'first'), answered: BY_FALLBACK },
    { name: 'a clsact owner that lets others run', hang: () => filter(NEXT), answered: BY_BACKEND },
    { name: 'a clsact owner that decides', hang: () => filter(OK), answered: BY_FALLBACK },
  ])('is behind $name, and status names it', async ({ hang, answered }) => {
    hang();
    await redirect();
    expect(clientRow()).toMatchObject({ hook: { order: 'after' }, redirects: true });
    expect(clientRow()?.hook?.others).toMatchObject([{ name: expect.stringMatching(/^cni_/), ahead: true }]);
    expect(rig.ask()).toEqual(answered);
  });

  test('leaves to an owner that comes later what it decides', async () => {
    await redirect();
    expect(rig.ask()).toEqual(BY_BACKEND);
    tcx(OK, 'last');
    await expect.poll(() => clientRow()?.hook?.order, { timeout: 30_000 }).toBe('after');
    expect(rig.ask()).toEqual(BY_FALLBACK);
  });

  test('moves behind an owner that lets others run, and loses nothing', async () => {
    await redirect();
    tcx(NEXT, 'last');
    const answers = new Set<string>();
    const asked = () => {
      for (const answer of rig.ask()) answers.add(answer);
      return clientRow()?.hook?.order;
    };
    await expect.poll(asked, { timeout: 30_000 }).toBe('after');
    expect([...answers]).toEqual([LOCAL]);
    expect(rig.ask()).toEqual(BY_BACKEND);
  });
});

describe('first', () => {
  test.each([
    { name: 'TCX', hang: () => tcx(OK, 'last') },
    { name: 'clsact', hang: () => filter(OK) },
  ])('redirects no pod past a $name owner behind it, unless that is permitted', async ({ hang }) => {
    hang();
    await redirect({ hookOrder: 'first' });
    expect(clientRow()).toMatchObject({ hook: { order: 'before' }, permitted: false, redirects: false });
    expect(rig.ask()).toEqual(BY_FALLBACK);
    await datapath?.apply(rig.spec({ permitted: true }));
    expect(clientRow()).toMatchObject({ hook: { order: 'before' }, permitted: true, redirects: true });
    expect(rig.ask()).toEqual(BY_BACKEND);
  });
});
