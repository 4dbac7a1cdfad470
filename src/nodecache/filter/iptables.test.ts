import { describe, expect, it } from 'vitest';
import { parseIp } from '../../net/ip.ts';
import { driveBy, fakeIptables } from '../testing/fake-iptables.ts';
import { iptablesFilter, waitArguments } from './iptables.ts';
import { rulesFor } from './rules.ts';

function rules(...ips: readonly string[]) {
  return ips.flatMap((text) => {
    const ip = parseIp(text);
    return ip === undefined ? [] : rulesFor({ ip, port: 53, healthPort: 8080 });
  });
}

function start(version = 'v1.8.9 (nf_tables)') {
  const lines: string[] = [];
  const failures: string[] = [];
  const log = {
    debug: (text: string) => void lines.push(`debug ${text}`),
    info: (text: string) => void lines.push(text),
    warning: (text: string) => void lines.push(text),
    error: (text: string) => void lines.push(text),
    fatal: (text: string): never => {
      throw new Error(text);
    },
  };
  const report = {
    log: () => log,
    failed: (type: string) => void failures.push(type),
    interfaceName: 'nodelocaldns',
  };
  const programs = { ipv4: 'iptables', ipv6: 'ip6tables', version, families: new Set<4 | 6>([4, 6]) };
  return { filter: iptablesFilter(programs, report), lines, failures };
}

describe('iptablesFilter', () => {
  it('checks each rule before it inserts it, with the arguments of the original', () => {
    const fake = fakeIptables();
    const { filter, lines } = start();
    driveBy(fake, filter.ensure(rules('169.254.20.10')));
    const rest =
      'PREROUTING -t raw -p tcp -d 169.254.20.10 --dport 53 -j NOTRACK -m comment --comment NodeLocal DNS Cache: skip conntrack';
    expect(fake.commands.slice(0, 2)).toEqual([`iptables -w 5 -C ${rest}`, `iptables -w 5 -I ${rest}`]);
    expect(fake.commands).toHaveLength(24);
    expect(lines).toHaveLength(12);
    expect(lines[0]).toMatch(/^Added back nodelocaldns rule - \{raw PREROUTING \[-p tcp /);
  });

  it('does nothing twice, and says so only to who debugs', () => {
    const fake = fakeIptables();
    const { filter, lines } = start();
    driveBy(fake, filter.ensure(rules('169.254.20.10')));
    lines.splice(0);
    driveBy(fake, filter.ensure(rules('169.254.20.10')));
    expect(fake.commands.filter((command) => command.includes(' -I '))).toHaveLength(12);
    expect(lines[0]).toMatch(/^debug iptables rule \{raw PREROUTING .*\} for nodelocaldns already exists$/);
  });

  it('adds all rules of a family at once where it is told that there are none', () => {
    const { filter, lines } = start();
    const steps = filter.insert(rules('169.254.20.10', 'fd00::10'));
    const first = steps.next().value;
    expect(first).toMatchObject({ file: 'iptables-restore', args: ['-w', '5', '--noflush'] });
    const script = typeof first === 'object' ? (first.stdin ?? '') : '';
    expect(script.split('\n').filter((line) => /^[*C]/.test(line))).toEqual([
      '*raw',
      'COMMIT',
      '*filter',
      'COMMIT',
    ]);
    expect(script).toContain(
      '\n-I PREROUTING -p tcp -d 169.254.20.10 --dport 53 -j NOTRACK -m comment --comment "NodeLocal DNS Cache: skip conntrack"\n',
    );
    expect(steps.next({ code: 0, stdout: '', stderr: '' }).value).toMatchObject({
      file: 'ip6tables-restore',
    });
    expect(lines).toHaveLength(12);
    expect(steps.next({ code: 127, stdout: '', stderr: 'no such program' }).done).toBe(true);
    expect(lines).toHaveLength(12);
  });

  it('gives IPv6 rules to the other program', () => {
    const fake = fakeIptables();
    driveBy(fake, start().filter.ensure(rules('169.254.20.10', 'fd00::10')));
    expect(fake.chains.get('ip6tables raw PREROUTING')).toHaveLength(2);
    expect(fake.chains.get('iptables raw PREROUTING')).toHaveLength(2);
  });

  it('removes duplicates, and lists what node caches have made and nothing else', () => {
    const fake = fakeIptables();
    const { filter } = start();
    driveBy(fake, filter.ensure(rules('169.254.20.10', 'fd00::10')));
    const chain = fake.chains.get('iptables raw OUTPUT') ?? [];
    chain.push(...chain, '-A OUTPUT -j KUBE-FIREWALL');
    expect(driveBy(fake, filter.list())).toHaveLength(24);
    expect(driveBy(fake, filter.remove(rules('169.254.20.10', 'fd00::10')))).toEqual([]);
    expect([...fake.chains.values()].flat()).toEqual(['-A OUTPUT -j KUBE-FIREWALL']);
  });

  it('tells a lock that is held from other failures', () => {
    const fake = fakeIptables();
    const { filter, lines, failures } = start();
    fake.refuse = { code: 4, stdout: '', stderr: 'Another app is currently holding the xtables lock.\n' };
    driveBy(fake, filter.ensure(rules('169.254.20.10').slice(0, 1)));
    expect(driveBy(fake, filter.list())).toBeUndefined();
    fake.refuse = { code: 3, stdout: '', stderr: "can't initialize iptables table `raw'\n" };
    driveBy(fake, filter.ensure(rules('169.254.20.10').slice(0, 1)));
    expect(driveBy(fake, filter.remove(rules('169.254.20.10').slice(0, 1)))).toHaveLength(1);
    expect(failures).toEqual(['iptables_lock', 'iptables', 'iptables']);
    expect(lines[0]).toMatch(
      /^Error checking\/adding iptables rule \{.*\}, error - error checking rule: exit status 4: Another app/,
    );
    expect(lines[2]).toMatch(/^Failed deleting iptables rule \{.*\}, error - .*exit status 3: can't/);
  });
});

describe('waitArguments', () => {
  const versions: [text: string, words: readonly string[]][] = [
    ['iptables v1.8.9 (nf_tables)', ['-w', '5']],
    ['iptables v1.4.22', ['-w', '5']],
    ['iptables v1.4.21', ['-w']],
    ['iptables v1.4.20', ['-w']],
    ['iptables v1.4.19.1', []],
    ['iptables v1.3.8', []],
    ['', ['-w', '5']],
  ];
  it.each(versions)('knows what %j can wait for', (text, words) => {
    expect(waitArguments(text)).toEqual(words);
  });
});
