import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { mountedCgroups, withCgroupRoot } from './cgroup-root.ts';

test.each([
  {
    name: 'alone',
    text: 'proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n',
    mounted: ['/sys/fs/cgroup'],
  },
  {
    name: 'beside v1',
    text: 'cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n',
    mounted: ['/sys/fs/cgroup/unified'],
  },
  { name: 'v1 only', text: 'cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n', mounted: [] },
  {
    name: 'at a name with a blank, which proc(5) writes in octal',
    text: 'none /host/a\\040b cgroup2 rw 0 0\n',
    mounted: ['/host/a b'],
  },
])('mountedCgroups finds cgroup v2 mounted $name', ({ text, mounted }) => {
  expect(mountedCgroups(text)).toEqual(mounted);
});

test.each([tmpdir(), '/no/such/directory'])('withCgroupRoot refuses %s: it is no cgroup', (path) => {
  expect(() => withCgroupRoot(path, () => undefined)).toThrowError(
    expect.objectContaining({ code: 'DATAPATH_NO_CGROUP2', message: expect.stringContaining(path) }),
  );
});
