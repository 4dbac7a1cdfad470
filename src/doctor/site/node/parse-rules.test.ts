import { describe, expect, test } from 'vitest';
import { parseRuleset, parseSaved } from './parse-rules.ts';

const IP = { backend: 'nft', family: 'ip' } as const;

describe('parseSaved', () => {
  test.each([
    {
      name: 'a rule of kube-proxy',
      line: '[7:420] -A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment "kube-system/kube-dns:dns cluster IP" -m udp --dport 53 -j KUBE-SVC-TCOU7JCQXEZGVUNU',
      rule: { verdict: 'jump', destination: '10.96.0.10', protocol: 'UDP', destinationPort: 53, packets: 7 },
    },
    {
      name: 'a translation',
      line: '-A KUBE-SEP-X -p udp -m udp -j DNAT --to-destination 10.244.0.3:53',
      rule: { verdict: 'dnat', protocol: 'UDP' },
    },
    {
      name: 'NOTRACK as CT has it',
      line: '-A OUTPUT -s 169.254.20.10/32 -p tcp -m tcp --sport 53 -j CT --notrack',
      rule: { verdict: 'notrack', source: '169.254.20.10', protocol: 'TCP', sourcePort: 53 },
    },
  ])('reads $name', ({ line, rule }) => {
    expect(parseSaved(`*nat\n:KUBE-SERVICES - [0:0]\n${line}\nCOMMIT\n`, IP)).toMatchObject({
      rules: [{ ...rule, table: 'nat' }],
      chains: ['KUBE-SERVICES'],
      tables: ['ip nat'],
    });
  });

  test('claims no address for a network, nor for what is excepted', () => {
    const { rules } = parseSaved(
      '*raw\n-A A -d 169.254.0.0/16 -j DROP\n-A A ! -d 169.254.20.10/32 -j DROP\n',
      IP,
    );
    expect(rules.map(({ destination }) => destination)).toEqual([undefined, undefined]);
  });

  test('passes over rules that have nothing to do with DNS, and bounds what it keeps', () => {
    const many = '-A A -p udp --dport 53 -j ACCEPT\n'.repeat(3000);
    expect(parseSaved(`*raw\n-A A -p tcp --dport 5353 -j ACCEPT\n${many}`, IP).rules).toHaveLength(2000);
  });

  test('leaves a table that it cannot show whole to nft', () => {
    const text =
      "# Table `nat' contains incompatible base-chains, use 'nft' tool to list them.\n*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp --dport 53 -j X\nCOMMIT\n";
    expect(parseSaved(text, IP)).toEqual({ rules: [], chains: [], tables: [] });
  });

  test('a comment cannot pretend to be a rule', () => {
    const { rules } = parseSaved(
      '*raw\n-A A -p udp --dport 53 -m comment --comment "x -j NOTRACK -d 10.0.0.1" -j ACCEPT',
      IP,
    );
    expect(rules).toMatchObject([{ verdict: 'accept' }]);
    expect(rules[0]?.destination).toBeUndefined();
  });
});

describe('parseRuleset', () => {
  const text = `table ip raw {
	chain PREROUTING {
		type filter hook prerouting priority -300; policy accept;
		ip daddr 169.254.20.10 udp dport 53  counter packets 3 bytes 9 notrack
	}
}
table ip kube-proxy {
	map service-ips {
		elements = { 10.96.0.10 . 17 . 53 : goto service-X }
	}
	chain service-X {
		ip daddr 10.96.0.10 udp dport 53 ip saddr != 10.0.0.0/8 jump mark comment "drop"
	}
}
table bridge x {
	chain y {
		udp dport 53 drop
	}
}
`;
  test('reads what is in chains of IP', () => {
    const { rules, chains } = parseRuleset(text, () => false);
    expect(chains).toEqual(['PREROUTING', 'service-X']);
    expect(rules).toMatchObject([
      {
        table: 'raw',
        verdict: 'notrack',
        packets: 3,
        text: 'ip daddr 169.254.20.10 udp dport 53 counter notrack',
      },
      {
        table: 'kube-proxy',
        chain: 'service-X',
        verdict: 'jump',
        destination: '10.96.0.10',
        comment: 'drop',
      },
    ]);
    expect(rules[1]?.source).toBeUndefined();
  });

  test('leaves out tables that were read otherwise', () => {
    expect(parseRuleset(text, (table) => table === 'ip raw').chains).toEqual(['service-X']);
  });
});
