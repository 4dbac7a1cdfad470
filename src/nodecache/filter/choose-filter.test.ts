import { describe, expect, it } from 'vitest';
import { driveBy, fakeIptables } from '../testing/fake-iptables.ts';
import { chooseFilter } from './choose-filter.ts';

const VERSIONS = {
  iptables: 'iptables v1.8.9 (nf_tables)',
  'iptables-nft': 'iptables v1.8.9 (nf_tables)',
  'iptables-legacy': 'iptables v1.8.9 (legacy)',
  nft: 'nftables v1.0.6 (Lester Gooch #5)',
};
const ALL = ['iptables', 'iptables-nft', 'iptables-legacy', 'ip6tables', 'nft'];

interface NodeSample {
  readonly programs: readonly string[];
  /** Chain of the fake to the lines in it. */
  readonly chains?: Readonly<Record<string, readonly string[]>>;
}

function choose({ programs, chains = {} }: NodeSample): string | undefined {
  const fake = fakeIptables(VERSIONS);
  for (const [key, lines] of Object.entries(chains)) fake.chains.set(key, [...lines]);
  const log = () => {
    throw new Error('nothing is to be said');
  };
  const legacyTables = Object.keys(chains).flatMap((key) => /^iptables-legacy (\S+)/.exec(key)?.[1] ?? []);
  return driveBy(
    fake,
    chooseFilter({
      families: new Set([4]),
      report: { log, failed: log, interfaceName: 'nodelocaldns' },
      hasProgram: (name) => programs.includes(name),
      legacyTables: () => legacyTables,
    }),
  )?.name;
}

describe('chooseFilter', () => {
  const samples: [name: string, node: NodeSample, expected: string | undefined][] = [
    ['the default where nobody has rules', { programs: ALL }, 'iptables v1.8.9 (nf_tables)'],
    [
      'legacy where the kubelet uses it',
      { programs: ALL, chains: { 'iptables-legacy mangle x': ['-N KUBE-KUBELET-CANARY'] } },
      'iptables-legacy v1.8.9 (legacy)',
    ],
    [
      "nft where the kubelet uses it, whatever else has legacy's rules",
      {
        programs: ALL,
        chains: {
          'iptables-nft mangle x': ['-N KUBE-IPTABLES-HINT'],
          'iptables-legacy filter x': ['-A INPUT -j ACCEPT', '-A INPUT -j DROP'],
        },
      },
      'iptables-nft v1.8.9 (nf_tables)',
    ],
    [
      'that with more rules where the kubelet is silent',
      {
        programs: ALL,
        chains: {
          'iptables-nft nat x': ['-A OUTPUT -j KUBE-SERVICES'],
          'iptables-legacy filter x': ['-A INPUT -j ACCEPT', '-A INPUT -j DROP'],
        },
      },
      'iptables-legacy v1.8.9 (legacy)',
    ],
    ['the one there is', { programs: ['iptables-legacy'] }, 'iptables-legacy v1.8.9 (legacy)'],
    ['nftables where there is no iptables', { programs: ['nft'] }, 'nft v1.0.6 (Lester Gooch #5)'],
    ['nothing where there is nothing', { programs: [] }, undefined],
  ];
  it('does not list the tables of a service proxy where the kubelet has said enough', () => {
    const fake = fakeIptables(VERSIONS);
    fake.chains.set('iptables-nft mangle x', ['-N KUBE-IPTABLES-HINT']);
    const log = () => {
      throw new Error('nothing is to be said');
    };
    const steps = chooseFilter({
      families: new Set([4]),
      report: { log, failed: log, interfaceName: 'nodelocaldns' },
      hasProgram: (name) => ALL.includes(name),
      legacyTables: () => ['nat'],
    });
    expect(driveBy(fake, steps)?.name).toBe('iptables-nft v1.8.9 (nf_tables)');
    expect(fake.commands).toEqual(['iptables-nft -t mangle -S', 'iptables-nft --version']);
  });

  it.each(samples)('takes %s', (_name, node, expected) => {
    expect(choose(node)).toBe(expected);
  });
});
