/** A new agent in the place of another, under a steady stream of queries: none is lost. Needs root. */

import { existsSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Datapath } from './datapath.ts';
import { ABI_VERSION } from './kernel/abi.gen.ts';
import { FALLBACK, LOCAL, RedirectRig, VIP } from './testing/redirect-rig.ts';

const SCRIPT = join(import.meta.dirname, 'testing/test-steady-client.ts');
/** Lines of the client, each for twenty queries: before, between and after, so that there is something to lose. */
const SPAN = 3;

let rig: RedirectRig;
let datapath: Datapath;

interface Tally {
  readonly sent: number;
  readonly answered: Readonly<Record<string, number>>;
}

/** What became of the queries that were asked meanwhile; `pause` lets some more be asked. */
async function underQueries(act: (pause: () => Promise<void>) => Promise<void>): Promise<Tally> {
  const child = rig.network.spawn(rig.client.netns, process.execPath, SCRIPT, VIP);
  if (child.stdout === null || child.stdin === null) throw new Error('No pipes');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  // Lines that came while this process was busy are of queries from before: they do not count.
  const pause = async () => {
    const since = process.hrtime.bigint();
    for (let heard = 0; heard < SPAN; ) {
      const { value, done } = await lines.next();
      if (done === true) throw new Error('The client ended without a tally');
      const [word, at = '0'] = value.split(' ');
      if (word === 'more' && BigInt(at) > since) heard++;
    }
  };
  await pause();
  await act(pause);
  await pause();
  child.stdin.end();
  for (let line = await lines.next(); !line.done; line = await lines.next()) {
    if (!line.value.startsWith('{')) continue;
    await rig.network.kill(child);
    return JSON.parse(line.value) as Tally;
  }
  throw new Error('The client ended without a tally');
}

const total = ({ answered }: Tally) => Object.values(answered).reduce((sum, count) => sum + count, 0);

beforeAll(async () => {
  rig = await RedirectRig.open('upgrade');
});
afterAll(() => rig.close());
beforeEach(async () => {
  datapath = rig.openDatapath();
  await datapath.apply(rig.spec());
});
afterEach(() => datapath.remove());

test('a restart of the same version: every query is answered by the backend', async () => {
  const tally = await underQueries(async () => {
    datapath.close();
    datapath = rig.openDatapath();
    await datapath.apply(rig.spec());
  });
  expect(tally.sent).toBeGreaterThan(20);
  expect(tally.answered).toEqual({ [LOCAL]: tally.sent });
});

test('an upgrade from maps of another layout: some queries fall back meanwhile, and every one is answered', async () => {
  const [mine, older] = [join(rig.pinDirectory, `abi-${ABI_VERSION}`), join(rig.pinDirectory, 'abi-1')];
  const tally = await underQueries(async () => {
    datapath.close();
    renameSync(mine, older);
    datapath = rig.openDatapath();
    await datapath.apply(rig.spec());
  });
  expect(existsSync(older)).toBe(false);
  expect(readdirSync(join(mine, 'links'))).toHaveLength(6);
  expect(Object.keys(tally.answered).sort()).toEqual(expect.arrayContaining([LOCAL]));
  expect(Object.keys(tally.answered).every((answer) => [LOCAL, FALLBACK].includes(answer))).toBe(true);
  expect(total(tally)).toBe(tally.sent);
  expect(rig.ask()).toEqual([LOCAL, LOCAL]);
});

test('a policy that goes and comes again: queries fall back meanwhile, and every one is answered', async () => {
  const tally = await underQueries(async (pause) => {
    await datapath.apply({ ...rig.spec(), frontends: [] });
    await pause();
    await datapath.apply(rig.spec());
  });
  expect(Object.keys(tally.answered).sort()).toEqual([LOCAL, FALLBACK]);
  expect(total(tally)).toBe(tally.sent);
});

test("a client's interface that goes and comes back under the same address is redirected again by itself", async () => {
  rig.network.replaceInterface(rig.client);
  await expect.poll(() => rig.ask(), { timeout: 30_000 }).toEqual([LOCAL, LOCAL]);
});
