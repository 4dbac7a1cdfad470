/** What a watch hears of its own and of other namespaces, and what it says when it has missed something. Needs root. */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openLibc } from '../libc.ts';
import { RTM_NEWADDR } from './addresses.ts';
import { listLinks, RTM_NEWLINK } from './links.ts';
import { NetlinkWatch, RTNETLINK_GROUP, type WatchSpec } from './watch.ts';

const CLONE_NEWNET = 0x40000000;
const OURS = `zh-test-${process.pid}-watch`;
const THEIRS = `${OURS}-other`;
const home = openSync('/proc/thread-self/ns/net', 'r');
let watches: NetlinkWatch[] = [];

beforeAll(() => {
  for (const name of [OURS, THEIRS]) execFileSync('ip', ['netns', 'add', name]);
  execFileSync('ip', [
    'link',
    'add',
    'v0',
    'netns',
    OURS,
    'type',
    'veth',
    'peer',
    'name',
    'e0',
    'netns',
    THEIRS,
  ]);
  const fd = openSync(`/run/netns/${OURS}`, 'r');
  openLibc().setns(fd, CLONE_NEWNET);
  closeSync(fd);
});

afterEach(() => {
  for (const watch of watches) watch.close();
  watches = [];
});

afterAll(() => {
  openLibc().setns(home, CLONE_NEWNET);
  closeSync(home);
  for (const name of [OURS, THEIRS]) spawnSync('ip', ['netns', 'del', name]);
});

function open(spec: WatchSpec): NetlinkWatch {
  const watch = new NetlinkWatch(spec);
  watches.push(watch);
  return watch;
}

function heard(watch: NetlinkWatch): readonly { type: number; netnsId: number | undefined }[] {
  const messages: { type: number; netnsId: number | undefined }[] = [];
  watch.drain(({ type }, netnsId) => messages.push({ type, netnsId }));
  return messages;
}

test('a watch of all namespaces hears of an address there, and in which it came', () => {
  const netnsId = listLinks().find(({ name }) => name === 'v0')?.peerNetnsId;
  expect(netnsId).toBeDefined();
  const watch = open({ groups: [RTNETLINK_GROUP.IPV4_ADDRESS], allNamespaces: true });
  expect(watch.allNamespaces).toBe(true);
  execFileSync('ip', ['-n', THEIRS, 'addr', 'add', '192.0.2.1/32', 'dev', 'e0']);
  execFileSync('ip', ['addr', 'add', '192.0.2.2/32', 'dev', 'v0']);
  expect(heard(watch)).toEqual([
    { type: RTM_NEWADDR, netnsId },
    { type: RTM_NEWADDR, netnsId: undefined },
  ]);
  expect(heard(watch)).toEqual([]);
});

test('a watch of its own namespace hears of no other', () => {
  const watch = open({ groups: [RTNETLINK_GROUP.IPV4_ADDRESS] });
  execFileSync('ip', ['-n', THEIRS, 'addr', 'add', '192.0.2.3/32', 'dev', 'e0']);
  expect(heard(watch)).toEqual([]);
});

test('drain says when messages were lost, hears those that were kept, and then goes on', () => {
  const watch = open({ groups: [RTNETLINK_GROUP.LINK] });
  const changes = Array.from({ length: 12_000 }, (_, i) => `link set v0 mtu ${1400 + (i % 2)}`);
  execFileSync('ip', ['-b', '-'], { input: `${changes.join('\n')}\n` });
  let count = 0;
  expect(watch.drain(() => count++)).toBe(false);
  expect(count).toBeGreaterThan(0);
  execFileSync('ip', ['link', 'set', 'v0', 'mtu', '1300']);
  expect(heard(watch)).toContainEqual({ type: RTM_NEWLINK, netnsId: undefined });
});

test('after close nothing is heard, and closing twice is nothing', () => {
  const watch = open({ groups: [RTNETLINK_GROUP.LINK] });
  watch.close();
  watch.close();
  expect(heard(watch)).toEqual([]);
});
