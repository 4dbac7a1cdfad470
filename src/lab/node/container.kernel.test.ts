/** What a container's process has around it when the kubelet tells of it. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readlinkSync, rmdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeCgroup, removeCgroup } from '../cgroup.ts';
import { LAB_PATHS, podDirectory } from '../topology.ts';
import { startContainer } from './container.ts';

const NODE = `test-${process.pid}`;
const NAMESPACE = `zh-test-${process.pid}-pod`;
const RESOLV_CONF = 'nameserver 192.0.2.53\n';
const pods = Array.from({ length: 10 }, (_, i) => `${NODE}-${i}`);

beforeAll(() => {
  execFileSync('ip', ['netns', 'add', NAMESPACE]);
  mkdirSync(LAB_PATHS.logs, { recursive: true });
});

afterAll(async () => {
  const cgroup = makeCgroup(NODE);
  await removeCgroup(cgroup);
  execFileSync('ip', ['netns', 'delete', NAMESPACE]);
  for (const pod of pods) {
    rmSync(podDirectory(pod), { recursive: true, force: true });
    rmSync(`${LAB_PATHS.logs}/${pod}.log`, { force: true });
  }
  for (const directory of [LAB_PATHS.logs, LAB_PATHS.pods, dirname(LAB_PATHS.pods), dirname(cgroup)])
    removeEmpty(directory);
});

/** What a lab that is up has in it stays. */
function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!['ENOTEMPTY', 'EBUSY', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

function start(pod: string, namespace: string) {
  const files = new Map([['/etc/resolv.conf', RESOLV_CONF]]);
  return startContainer({
    ...{ pod, node: NODE, namespace, files },
    ...{ environment: {}, command: ['sleep', 'infinity'] },
  });
}

test('whoever has entered is in the network of the pod and sees its files, never those of the machine', async () => {
  for (const pod of pods) {
    const { pid, entered } = start(pod, NAMESPACE);
    await entered;
    for (const kind of ['net', 'mnt', 'uts'])
      expect(readlinkSync(`/proc/${pid}/ns/${kind}`)).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
    expect(readFileSync(`/proc/${pid}/root/etc/resolv.conf`, 'utf8')).toBe(RESOLV_CONF);
  }
});

test('nobody waits for one that cannot enter', async () => {
  const { entered, ended } = start(`${NODE}-0`, `${NAMESPACE}-that-is-not-there`);
  await entered;
  expect(await ended).not.toMatchObject({ code: 0 });
});
