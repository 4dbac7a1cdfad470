/** The program as a manifest starts it, on nodes of its own, with the real iptables, nftables and dig. */
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  LEGACY_FLAVOUR,
  NFT_FLAVOUR,
  NO_PROGRAMS,
  ONLY_NFT,
  type RunningCache,
  TestNode,
  until,
  WITHOUT_RESTORE,
} from './testing/test-node.ts';

const SKIP = '-m comment --comment "NodeLocal DNS Cache: skip conntrack" -j NOTRACK';
const ALLOW = '-m comment --comment "NodeLocal DNS Cache: allow DNS traffic" -j ACCEPT';

/** The lines of the first field report, in its order. */
const REPORTED = {
  raw: [
    `-A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 53 ${SKIP}`,
    `-A PREROUTING -d 10.96.0.10/32 -p tcp -m tcp --dport 53 ${SKIP}`,
    `-A PREROUTING -d 169.254.20.10/32 -p udp -m udp --dport 53 ${SKIP}`,
    `-A PREROUTING -d 169.254.20.10/32 -p tcp -m tcp --dport 53 ${SKIP}`,
    `-A OUTPUT -s 10.96.0.10/32 -p tcp -m tcp --sport 8080 ${SKIP}`,
    `-A OUTPUT -d 10.96.0.10/32 -p tcp -m tcp --dport 8080 ${SKIP}`,
    `-A OUTPUT -d 10.96.0.10/32 -p udp -m udp --dport 53 ${SKIP}`,
    `-A OUTPUT -d 10.96.0.10/32 -p tcp -m tcp --dport 53 ${SKIP}`,
    `-A OUTPUT -s 10.96.0.10/32 -p udp -m udp --sport 53 ${SKIP}`,
    `-A OUTPUT -s 10.96.0.10/32 -p tcp -m tcp --sport 53 ${SKIP}`,
    `-A OUTPUT -s 169.254.20.10/32 -p tcp -m tcp --sport 8080 ${SKIP}`,
    `-A OUTPUT -d 169.254.20.10/32 -p tcp -m tcp --dport 8080 ${SKIP}`,
    `-A OUTPUT -d 169.254.20.10/32 -p udp -m udp --dport 53 ${SKIP}`,
    `-A OUTPUT -d 169.254.20.10/32 -p tcp -m tcp --dport 53 ${SKIP}`,
    `-A OUTPUT -s 169.254.20.10/32 -p udp -m udp --sport 53 ${SKIP}`,
    `-A OUTPUT -s 169.254.20.10/32 -p tcp -m tcp --sport 53 ${SKIP}`,
  ],
  filter: [
    `-A INPUT -d 10.96.0.10/32 -p udp -m udp --dport 53 ${ALLOW}`,
    `-A INPUT -d 10.96.0.10/32 -p tcp -m tcp --dport 53 ${ALLOW}`,
    `-A INPUT -d 169.254.20.10/32 -p udp -m udp --dport 53 ${ALLOW}`,
    `-A INPUT -d 169.254.20.10/32 -p tcp -m tcp --dport 53 ${ALLOW}`,
    `-A OUTPUT -s 10.96.0.10/32 -p udp -m udp --sport 53 ${ALLOW}`,
    `-A OUTPUT -s 10.96.0.10/32 -p tcp -m tcp --sport 53 ${ALLOW}`,
    `-A OUTPUT -s 169.254.20.10/32 -p udp -m udp --sport 53 ${ALLOW}`,
    `-A OUTPUT -s 169.254.20.10/32 -p tcp -m tcp --sport 53 ${ALLOW}`,
  ],
};
const BOTH = ['-localip', '169.254.20.10,10.96.0.10'];
const ONE = ['-localip', '169.254.20.10'];
/** The second of the last rule's two commands comes right before this line, and it is the last rule. */
const LAST_RULE = (ip: string) => `-s ${ip} --sport 8080 -j NOTRACK`;

let node: TestNode;
beforeEach(() => {
  node = new TestNode();
});
afterEach(() => node.close());

/** Started and done with its rules. */
async function serving(cache: RunningCache, lastIp = '169.254.20.10'): Promise<RunningCache> {
  await cache.says(LAST_RULE(lastIp));
  return cache;
}

describe('node-cache with the flags of the stock manifest', () => {
  it("has the field report's rules as soon as it serves, and answers the pod at both addresses", async () => {
    const cache = node.start({ args: BOTH });
    await serving(cache, '10.96.0.10');
    expect(node.rules('raw')).toEqual(REPORTED.raw);
    expect(node.rules('filter')).toEqual(REPORTED.filter);
    expect(node.dig('169.254.20.10')).toBe('172.20.0.5');
    expect(node.dig('10.96.0.10', '+tcp')).toBe('172.20.0.5');
    expect(cache.stdout.indexOf('.:53 on 169.254.20.10')).toBeLessThan(cache.stdout.indexOf('Added back'));
  });

  it('has them in the legacy tables where iptables is of that flavour', async () => {
    await serving(node.start({ args: BOTH, programs: LEGACY_FLAVOUR }), '10.96.0.10');
    expect(node.rules('raw', 'iptables-legacy-save')).toEqual(REPORTED.raw);
    expect(node.rules('filter', 'iptables-legacy-save')).toEqual(REPORTED.filter);
    expect(node.rules('raw')).toEqual([]);
    expect(node.dig('10.96.0.10')).toBe('172.20.0.5');
  });

  it('leaves no trace of the queries in connection tracking', async () => {
    node.run('iptables-nft', '-A', 'INPUT', '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP');
    await serving(node.start({ args: ONE }));
    const tracked = () => node.run('cat', '/proc/net/nf_conntrack');
    expect(node.dig('169.254.20.10')).toBe('172.20.0.5');
    expect(node.dig('169.254.20.10', '-p', '54')).toBe('');
    expect(tracked()).toContain('dport=54');
    expect(tracked()).not.toContain('dport=53 ');
  });

  it('serves IPv6, and both families side by side', async () => {
    const cache = node.start({ args: ['-localip', '169.254.20.10,fd00::10'] });
    await serving(cache, 'fd00::10');
    expect(node.dig('fd00::10')).toBe('fd20::5');
    expect(node.dig('fd00::10', '+tcp')).toBe('fd20::5');
    expect(node.dig('169.254.20.10')).toBe('172.20.0.5');
    expect(node.addresses()).toEqual(['169.254.20.10/32', 'fd00::10/128']);
    const ofIp = (lines: readonly string[]) => lines.filter((line) => line.includes('169.254.20.10'));
    const asIpv6 = (lines: readonly string[]) =>
      ofIp(lines).map((line) => line.replace('169.254.20.10/32', 'fd00::10/128'));
    expect(node.rules('raw')).toEqual(ofIp(REPORTED.raw));
    expect(node.rules('raw', 'ip6tables-nft-save')).toEqual(asIpv6(REPORTED.raw));
    expect(node.rules('filter', 'ip6tables-nft-save')).toEqual(asIpv6(REPORTED.filter));
    expect(await cache.end('SIGTERM')).toBe(0);
    expect(node.leftovers()).toEqual([]);
  });

  it('brings back rules and addresses that somebody removed', async () => {
    const cache = await serving(node.start({ args: [...ONE, '-syncinterval', '1'] }));
    const [rule = ''] = node.rules('raw');
    node.run('iptables-nft', '-t', 'raw', '-F', 'PREROUTING');
    node.run('ip', 'addr', 'del', '169.254.20.10/32', 'dev', 'nodelocaldns');
    await cache.says('raw PREROUTING [-p udp', 2);
    expect(node.rules('raw')).toContain(rule);
    await until(
      () => node.addresses().length === 1,
      () => 'the address',
    );
    node.run('ip', 'link', 'del', 'nodelocaldns');
    await cache.says('Added interface', 2);
    // The line comes before the interface has its address.
    await until(
      () => node.addresses().length === 1,
      () => 'the address of the new interface',
    );
    expect(node.addresses()).toEqual(['169.254.20.10/32']);
    expect(node.dig('169.254.20.10')).toBe('172.20.0.5');
  });
});

describe('node-cache at its end', () => {
  const signals: [signal: NodeJS.Signals, programs: typeof NFT_FLAVOUR][] = [
    ['SIGTERM', LEGACY_FLAVOUR],
    ['SIGINT', NFT_FLAVOUR],
    ['SIGQUIT', NFT_FLAVOUR],
  ];
  it.each(signals)('leaves nothing behind after %s', async (signal, programs) => {
    const cache = await serving(node.start({ args: BOTH, programs }), '10.96.0.10');
    expect(await cache.end(signal)).toBe(0);
    expect(cache.stdout).toContain('[INFO] Tearing down\n');
    expect(node.leftovers()).toEqual([]);
  });

  it('leaves nothing when it is interrupted again while it takes things down', async () => {
    const lock = `${node.directory}/xtables.lock`;
    const start = { args: BOTH, programs: LEGACY_FLAVOUR, env: { XTABLES_LOCKFILE: lock } };
    const cache = await serving(node.start(start), '10.96.0.10');
    // Without the lock no rule can be taken away: it is still at it then.
    const holder = await holdLock(lock);
    void cache.end('SIGINT');
    await cache.says('Tearing down');
    const ended = cache.end('SIGINT');
    holder.kill('SIGKILL');
    expect(await ended).toBe(2);
    expect(node.leftovers()).toEqual([]);
  });

  it('leaves nothing when it is told to end before it serves', async () => {
    const cache = node.start({ args: BOTH });
    await cache.says('Added interface');
    expect(await cache.end('SIGTERM')).toBe(0);
    expect(node.leftovers()).toEqual([]);
  });

  it('removes duplicates of its rules as well', async () => {
    const cache = await serving(node.start({ args: ONE }));
    const [rule = ''] = node.rules('filter');
    const words = rule.split(/ (?=(?:[^"]*"[^"]*")*[^"]*$)/).map((word) => word.replaceAll('"', ''));
    for (let i = 0; i < 3; i++) node.run('iptables-nft', ...words);
    await cache.end('SIGTERM');
    expect(node.leftovers()).toEqual([]);
  });

  it('leaves everything when told to', async () => {
    const cache = await serving(node.start({ args: [...ONE, '-skipteardown'] }));
    expect(await cache.end('SIGTERM')).toBe(0);
    expect(node.rules('raw')).toHaveLength(8);
    expect(node.addresses()).toEqual(['169.254.20.10/32']);
    expect(cache.stdout).not.toContain('Tearing down');
  });

  it('leaves nothing when the server cannot start after the interface was made', async () => {
    const cache = node.start({ args: ONE, corefile: ['bind 198.51.100.1', 'whoami'] });
    expect(await cache.ended).toBe(1);
    expect(cache.stderr).toContain('Added interface - nodelocaldns');
    expect(node.leftovers()).toEqual([]);
  });

  it('leaves nothing when a bug ends it', async () => {
    const bug = `${node.directory}/bug.mjs`;
    writeFileSync(bug, 'process.on("SIGUSR2", () => { throw new Error("a bug"); });');
    const cache = node.start({ args: ONE, env: { NODE_OPTIONS: `--import=${bug}` } });
    await serving(cache);
    expect(await cache.end('SIGUSR2')).not.toBe(0);
    expect(cache.stderr).toContain('a bug');
    expect(node.leftovers()).toEqual([]);
  });
});

describe('node-cache after one that was killed', () => {
  it('clears what that one left, also with other addresses, and has each of its rules once', async () => {
    const killed = await serving(node.start({ args: BOTH }), '10.96.0.10');
    expect(await killed.end('SIGKILL')).toBeNull();
    expect(node.rules('raw')).toHaveLength(16);
    const words = ['-t', 'raw', '-A', 'OUTPUT', '-p', 'udp', '-d', '169.254.20.10', '--dport', '53'];
    const comment = ['-m', 'comment', '--comment', 'NodeLocal DNS Cache: skip conntrack'];
    node.run('iptables-nft', ...words, ...comment, '-j', 'NOTRACK');
    node.run('ip', 'addr', 'add', '169.254.20.10/24', 'dev', 'nodelocaldns');

    const next = await serving(
      node.start({ args: ['-localip', '169.254.20.10,169.254.20.11'] }),
      '169.254.20.11',
    );
    expect(next.stderr + next.stdout).toContain('Removed 24 rules that an earlier run left behind');
    const asNow = (lines: readonly string[]) =>
      lines.map((line) => line.replace('10.96.0.10', '169.254.20.11'));
    expect(node.rules('raw')).toEqual(asNow(REPORTED.raw));
    expect(node.rules('filter')).toEqual(asNow(REPORTED.filter));
    expect(node.addresses()).toEqual(['169.254.20.10/32', '169.254.20.11/32']);
    expect(node.dig('169.254.20.10')).toBe('172.20.0.5');
    expect(await next.end('SIGTERM')).toBe(0);
    expect(node.leftovers()).toEqual([]);
  });
});

describe('two node-caches at a time', () => {
  it('takes rules and interface down only when the last one ends', async () => {
    const corefile = ['errors', 'whoami', 'prometheus :9253', 'health 169.254.20.10:8080'];
    const first = await serving(node.start({ args: BOTH, corefile }), '10.96.0.10');
    const second = node.start({ args: BOTH, corefile });
    await second.says('CoreDNS-');
    await until(
      () => node.leftovers().filter((line) => line.includes('/rules/')).length === 4,
      () => 'claims',
    );
    expect(await first.end('SIGTERM')).toBe(0);
    expect(node.rules('raw')).toEqual(REPORTED.raw);
    expect(node.rules('filter')).toEqual(REPORTED.filter);
    expect(node.dig('10.96.0.10')).toBe('172.20.0.5');
    expect(await second.end('SIGTERM')).toBe(0);
    expect(node.leftovers()).toEqual([]);
  });

  it('removes what only the one that ends has asked for', async () => {
    const first = await serving(node.start({ args: BOTH }), '10.96.0.10');
    const second = await serving(
      node.start({ args: ['-localip', '169.254.20.10,169.254.20.11'] }),
      '169.254.20.11',
    );
    expect(await first.end('SIGTERM')).toBe(0);
    expect(node.addresses()).toEqual(['169.254.20.10/32', '169.254.20.11/32']);
    expect(node.rules('raw').filter((line) => line.includes('10.96.0.10'))).toEqual([]);
    expect(node.rules('raw')).toHaveLength(16);
    expect(node.dig('169.254.20.11')).toBe('172.20.0.5');
    await second.end('SIGTERM');
    expect(node.leftovers()).toEqual([]);
  });
});

describe('node-cache beside a server that is none of ours', () => {
  it('touches no rule that brings queries to it', async () => {
    node.run('ip', 'addr', 'add', '169.254.20.10/32', 'dev', 'lo');
    const words = ['-t', 'raw', '-I', 'PREROUTING', '-p', 'udp', '-d', '169.254.20.10', '--dport', '53'];
    const comment = ['-m', 'comment', '--comment', 'NodeLocal DNS Cache: skip conntrack'];
    node.run('iptables-nft', ...words, '-j', 'NOTRACK', ...comment);
    const server =
      'require("dgram").createSocket({type:"udp4",reusePort:true}).bind(53,"169.254.20.10",()=>console.log(1))';
    node.hold(process.execPath, '-e', server);
    await until(
      () => node.run('cat', '/proc/net/udp').includes('0A14FEA9:0035'),
      () => 'the server',
    );
    const cache = await serving(node.start({ args: ONE }));
    expect(cache.stdout).not.toContain('Removed');
    expect(node.rules('raw')).toHaveLength(8);
    expect(await cache.end('SIGTERM')).toBe(0);
    expect(node.rules('raw')).toHaveLength(8);
  });
});

describe('node-cache on a node with other programs', () => {
  it('has the same rules where there is no iptables-restore', async () => {
    await serving(node.start({ args: BOTH, programs: WITHOUT_RESTORE }), '10.96.0.10');
    expect(node.rules('raw')).toEqual(REPORTED.raw);
    expect(node.rules('filter')).toEqual(REPORTED.filter);
  });

  it('makes a table of its own where only nft exists', async () => {
    const cache = node.start({
      args: ['-localip', '169.254.20.10,fd00::10', '-syncinterval', '1'],
      programs: ONLY_NFT,
    });
    await serving(cache, 'fd00::10');
    const table = () => node.run('nft', 'list', 'table', 'inet', 'zerohop_nodelocaldns');
    expect(table()).toContain(
      'ip daddr 169.254.20.10 udp dport 53 notrack comment "NodeLocal DNS Cache: skip conntrack"',
    );
    expect(table()).toContain(
      'ip6 saddr fd00::10 tcp sport 53 accept comment "NodeLocal DNS Cache: allow DNS traffic"',
    );
    expect(table().split('NodeLocal DNS Cache')).toHaveLength(25);
    expect(node.dig('fd00::10')).toBe('fd20::5');
    const whole = table();
    node.run('nft', 'flush', 'chain', 'inet', 'zerohop_nodelocaldns', 'raw_prerouting');
    await cache.says('raw PREROUTING [-p udp -d 169.254.20.10', 2);
    expect(table()).toBe(whole);
    node.run('nft', 'delete', 'table', 'inet', 'zerohop_nodelocaldns');
    await cache.says('raw PREROUTING [-p udp -d 169.254.20.10', 3);
    expect(table()).toBe(whole);
    expect(await cache.end('SIGTERM')).toBe(0);
    expect(node.leftovers()).toEqual([]);
  });

  it('serves without rules where there is no program for them, and counts that', async () => {
    const cache = node.start({ args: ONE, programs: NO_PROGRAMS });
    await cache.says('found neither iptables nor nft');
    expect(node.dig('169.254.20.10')).toBe('172.20.0.5');
    expect(setupErrors(node)).toContain('coredns_nodecache_setup_errors_total{errortype="iptables"} 1');
    expect(await cache.end('SIGTERM')).toBe(0);
    expect(node.leftovers()).toEqual([]);
  });

  // iptables waits for the lock for half a minute in all.
  it('serves while the xtables lock is held, says so, and ends all the same', {
    timeout: 120_000,
  }, async () => {
    const lock = `${node.directory}/xtables.lock`;
    const holder = await holdLock(lock);
    const cache = node.start({ args: ONE, programs: LEGACY_FLAVOUR, env: { XTABLES_LOCKFILE: lock } });
    await cache.says('holding the xtables lock');
    expect(node.dig('169.254.20.10')).toBe('172.20.0.5');
    expect(cache.stdout).toMatch(
      /^\[ERROR\] Error checking\/adding iptables rule \{raw PREROUTING \[.*\]\}, error - error checking rule: exit status 4: /m,
    );
    expect(setupErrors(node)).toContain('{errortype="iptables_lock"} ');
    expect(setupErrors(node)).toContain('{errortype="iptables"} 0');
    expect(await cache.end('SIGTERM')).toBe(0);
    expect(cache.stdout).toContain('Failed deleting iptables rules: gave up after');
    expect(node.addresses()).toEqual([]);
    holder.kill('SIGKILL');
  });
});

/** Held until the process that is returned ends. */
async function holdLock(lock: string): Promise<ChildProcess> {
  const holder = node.hold('flock', '--no-fork', lock, 'sleep', '120');
  await until(
    () => node.run('sh', '-c', 'flock --nonblock "$0" true || echo held', lock) === 'held\n',
    () => 'the lock',
  );
  return holder;
}

function setupErrors(on: TestNode): string {
  const script = "fetch('http://127.0.0.1:9353/metrics').then((r) => r.text()).then(console.log)";
  return on.run(process.execPath, '-e', script);
}
