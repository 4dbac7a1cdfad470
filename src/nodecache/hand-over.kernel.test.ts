/** One node cache taking over from another on the same node: rules and interface stay in place all the time. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningCache, TestNode } from './testing/test-node.ts';

const ARGS = ['-localip', '169.254.20.10'];
const LAST_RULE = '-s 169.254.20.10 --sport 8080 -j NOTRACK';

let node: TestNode;
beforeEach(() => {
  node = new TestNode();
});
afterEach(() => node.close());

function start(...words: readonly string[]): RunningCache {
  return node.start({ args: [...ARGS, ...words], env: { ZEROHOP_RUN_DIR: join(node.directory, 'run') } });
}

describe('a node cache that is taken over from', { timeout: 60_000 }, () => {
  it('takes nothing down; the successor does, when it ends', async () => {
    const first = start();
    await first.says(LAST_RULE);
    const rules = node.rules('raw');
    const second = start('-takeover', 'auto');
    await second.says('CoreDNS-');
    expect(await first.ended).toBe(0);
    expect(first.stdout).toContain('has taken over');
    expect(first.stdout + first.stderr).not.toContain('Tearing down');
    expect(node.rules('raw')).toEqual(rules);
    expect(node.addresses()).toEqual(['169.254.20.10/32']);
    expect(node.dig('169.254.20.10')).toBe('172.20.0.5');
    expect(node.dig('169.254.20.10', '+tcp')).toBe('172.20.0.5');
    expect(await second.end('SIGTERM')).toBe(0);
    expect(node.leftovers()).toEqual([]);
  });

  it('goes on when the successor is killed before it serves', async () => {
    const first = start();
    await first.says(LAST_RULE);
    const rules = node.rules('raw');
    const corefile = ['kubernetes cluster.local {', 'endpoint http://127.0.0.1:1', 'startup_timeout 1h', '}'];
    const second = node.start({
      args: [...ARGS, '-takeover', 'auto'],
      env: { ZEROHOP_RUN_DIR: join(node.directory, 'run') },
      corefile,
    });
    await first.says('is about to take over');
    await second.end('SIGKILL');
    await first.says('this one goes on');
    await pause(200);
    expect(node.rules('raw')).toEqual(rules);
    expect(node.dig('169.254.20.10')).toBe('172.20.0.5');
    expect(await first.end('SIGTERM')).toBe(0);
    expect(node.leftovers()).toEqual([]);
  });
});
