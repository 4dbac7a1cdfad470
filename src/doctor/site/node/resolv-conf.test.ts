import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { insideRoot, readBounded } from './bounded-file.ts';
import { parseResolvConf, readResolvConf } from './resolv-conf.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zh-test-resolv-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('parseResolvConf', () => {
  test('reads what kubelet writes', () => {
    const text =
      'search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n';
    expect(parseResolvConf(text)).toEqual({
      nameservers: ['10.96.0.10'],
      search: ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
      options: ['ndots:5'],
    });
  });

  test('takes three nameservers and the last search line (resolv.conf(5))', () => {
    const servers = [1, 2, 3, 4].map((i) => `nameserver 192.0.2.${i}`).join('\n');
    const parsed = parseResolvConf(`${servers}\ndomain a.example\nsearch b.example c.example`);
    expect(parsed.nameservers).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.3']);
    expect(parsed.search).toEqual(['b.example', 'c.example']);
  });

  test('passes over comments, and keeps what is no address', () => {
    const parsed = parseResolvConf('# nameserver 192.0.2.1\nnameserver __PILLAR__\nnameserver\n;x');
    expect(parsed).toEqual({ nameservers: ['__PILLAR__'], search: [], options: [] });
  });
});

test('readResolvConf sees the file of a process', () => {
  expect(readResolvConf(process.pid)).toEqual(readResolvConf('self'));
  expect(() => readResolvConf(2 ** 22 + 1)).toThrow('ENOENT');
});

describe('insideRoot', () => {
  test('follows links as the process would, and never out of its root', () => {
    mkdirSync(join(directory, 'etc'));
    mkdirSync(join(directory, 'run'));
    symlinkSync('/run/resolv.conf', join(directory, 'etc', 'resolv.conf'));
    symlinkSync('../../../../run/resolv.conf', join(directory, 'etc', 'relative'));
    for (const file of ['/etc/resolv.conf', '/etc/relative'])
      expect(insideRoot(directory, file)).toBe(join(directory, 'run', 'resolv.conf'));
  });

  test('gives up on a ring of links', () => {
    symlinkSync('b', join(directory, 'a'));
    symlinkSync('a', join(directory, 'b'));
    expect(() => insideRoot(directory, '/a')).toThrow('Too many links');
  });
});

describe('readBounded', () => {
  test('stops at its limit', () => {
    writeFileSync(join(directory, 'large'), 'x'.repeat(100));
    expect(readBounded(join(directory, 'large'), 10)).toBe('x'.repeat(10));
  });

  test('does not wait for a pipe that nobody writes to', () => {
    execFileSync('mkfifo', [join(directory, 'pipe')]);
    expect(() => readBounded(join(directory, 'pipe'), 10)).toThrow('is no ordinary file');
  });
});
