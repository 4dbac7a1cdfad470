/** Chains that tools really made, in a network namespace of their own. Needs root. */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openLibc } from '../../sys/libc.ts';
import { nftChainNames } from '../../sys/netlink/nft-chains.ts';
import { enginesOf } from './policy-engines.ts';

const CLONE_NEWNET = 0x40000000;
const NETNS = `zh-test-${process.pid}-engines`;
const home = openSync('/proc/thread-self/ns/net', 'r');

beforeAll(() => {
  execFileSync('ip', ['netns', 'add', NETNS]);
  const fd = openSync(`/run/netns/${NETNS}`, 'r');
  openLibc().setns(fd, CLONE_NEWNET);
  closeSync(fd);
});

afterAll(() => {
  openLibc().setns(home, CLONE_NEWNET);
  closeSync(home);
  spawnSync('ip', ['netns', 'del', NETNS]);
});

test('nftChainNames names the chains of every family, and engines are found among them', () => {
  expect(nftChainNames()).toEqual([]);
  const rules = [
    'add table ip filter',
    'add chain ip filter FORWARD { type filter hook forward priority 0 ; }',
    'add chain ip filter cali-FORWARD',
    'add table ip6 filter',
    'add chain ip6 filter KUBE-NWPLCY-DEFAULT',
  ].join('\n');
  execFileSync('nft', ['-f', '-'], { input: `${rules}\n` });
  expect([...nftChainNames()].sort()).toEqual(['FORWARD', 'KUBE-NWPLCY-DEFAULT', 'cali-FORWARD']);
  expect(enginesOf(nftChainNames())).toEqual(['Calico', 'kube-router']);
});
