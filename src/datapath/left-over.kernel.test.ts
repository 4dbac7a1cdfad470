/** TCP connections outlive the frontend they were opened to: their backend alone knows them. Needs root. */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Datapath } from './datapath.ts';
import { FALLBACK, LOCAL, RedirectRig, VIP } from './testing/redirect-rig.ts';

const SCRIPT = join(import.meta.dirname, 'testing/test-kept-client.ts');

let rig: RedirectRig;
let datapath: Datapath;

beforeAll(async () => {
  rig = await RedirectRig.open('left-over');
});
afterAll(() => rig.close());
beforeEach(async () => {
  datapath = rig.openDatapath();
  await datapath.apply(rig.spec());
});
afterEach(() => datapath.remove());

interface Connection {
  ask(): Promise<string | undefined>;
  end(): Promise<void>;
}

async function openConnection(): Promise<Connection> {
  const child: ChildProcess = rig.network.spawn(rig.client.netns, process.execPath, SCRIPT, VIP);
  if (child.stdout === null) throw new Error('No pipe');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe('ready');
  return {
    async ask() {
      child.stdin?.write('\n');
      return (await lines.next()).value;
    },
    end: () => rig.network.kill(child),
  };
}

test('a connection goes on when its policy goes, while new ones and datagrams go their ordinary way', async () => {
  const connection = await openConnection();
  expect(await connection.ask()).toBe(LOCAL);
  await datapath.apply({ ...rig.spec(), frontends: [] });
  expect(await connection.ask()).toBe(LOCAL);
  expect(rig.ask()).toEqual([FALLBACK, FALLBACK]);
  expect(await connection.ask()).toBe(LOCAL);
  await connection.end();
});

test('a connection goes on over a policy that goes and comes, and over the agent that follows', async () => {
  const connection = await openConnection();
  expect(await connection.ask()).toBe(LOCAL);
  await datapath.apply({ ...rig.spec(), frontends: [] });
  datapath.close();
  datapath = rig.openDatapath();
  expect(await connection.ask()).toBe(LOCAL);
  await datapath.apply(rig.spec());
  expect(await connection.ask()).toBe(LOCAL);
  await connection.end();
});

test('a connection that was opened while no policy was there stays with whom it was opened to', async () => {
  await datapath.apply({ ...rig.spec(), frontends: [] });
  const connection = await openConnection();
  expect(await connection.ask()).toBe(FALLBACK);
  await datapath.apply(rig.spec());
  expect(await connection.ask()).toBe(FALLBACK);
  expect(rig.ask()).toEqual([LOCAL, LOCAL]);
  await connection.end();
});

test('a port that had a redirected connection can have one that is not', { timeout: 180_000 }, async () => {
  // Below those that the kernel gives to clients that ask for none.
  const dig = () =>
    rig.network.dig(rig.client, `@${VIP}`, '-b', `${rig.client.address}#20001`, 'google.com', '+tcp');
  expect(dig()).toBe(LOCAL);
  await datapath.apply({ ...rig.spec(), frontends: [] });
  await expect.poll(dig, { timeout: 120_000, interval: 1000 }).toBe(FALLBACK);
});
