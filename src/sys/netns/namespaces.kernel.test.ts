/** Network namespaces of this machine, entered and left again. */
import { execFileSync, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  insideNamespace,
  listNamespaces,
  type NetNamespace,
  namespaceCookie,
  namespaceId,
  ownNamespace,
} from './namespaces.ts';

const NAME = `zh-test-${process.pid}-netns`;
const PATH = `/run/netns/${NAME}`;
let other: NetNamespace;

beforeAll(() => {
  execFileSync('ip', ['netns', 'add', NAME]);
  other = { inode: statSync(PATH, { bigint: true }).ino, path: PATH };
});

afterAll(() => {
  spawnSync('ip', ['netns', 'del', NAME]);
});

test('listNamespaces has those of processes and those that are only mounted, each once', () => {
  const inodes = listNamespaces().map(({ inode }) => inode);
  expect(inodes).toContain(other.inode);
  expect(inodes).toContain(ownNamespace().inode);
  expect(new Set(inodes).size).toBe(inodes.length);
});

test('insideNamespace is there while the work runs, and back afterwards, also when it throws', () => {
  const here = ownNamespace().inode;
  expect(insideNamespace(other, () => ownNamespace().inode)).toBe(other.inode);
  expect(ownNamespace().inode).toBe(here);
  const work = () => {
    throw new Error('no luck');
  };
  expect(() => insideNamespace(other, work)).toThrow('no luck');
  expect(ownNamespace().inode).toBe(here);
});

test('a namespace that is gone, or whose path is another one by now, is none', () => {
  expect(insideNamespace({ inode: 1n, path: PATH }, () => true)).toBeUndefined();
  expect(insideNamespace({ inode: 1n, path: '/run/netns/zh-test-no-such' }, () => true)).toBeUndefined();
});

test('namespaceId is what ip netns gave, and nothing before', () => {
  expect(namespaceId(other)).toBeUndefined();
  execFileSync('ip', ['netns', 'set', NAME, '4711']);
  expect(namespaceId(other)).toBe(4711);
});

test('namespaceCookie differs between namespaces, where the kernel tells it', () => {
  const [here, there] = [namespaceCookie(), insideNamespace(other, namespaceCookie)];
  // Before Linux 5.14 there is none.
  if (here !== undefined) expect(there).not.toBe(here);
  expect(typeof there).toBe(typeof here);
});
