/**
 * A second iptables, in memory: understands the commands that a node cache gives, one list of rules per table and chain.
 * Also a node's other programs, as far as choosing among them needs.
 */
import type { Command, CommandResult, Steps } from '../filter/steps.ts';

export interface FakeIptables {
  /** `raw OUTPUT` to its rules, the first one first, as iptables lists them. */
  readonly chains: Map<string, string[]>;
  /** What was run, as typed. */
  readonly commands: string[];
  /** The answer to every command from now on. */
  refuse: CommandResult | undefined;
  run(command: Command): CommandResult;
}

const OK: CommandResult = { code: 0, stdout: '', stderr: '' };
const ABSENT: CommandResult = { code: 1, stdout: '', stderr: 'iptables: Bad rule' };

export function fakeIptables(versions: Readonly<Record<string, string>> = {}): FakeIptables {
  const chains = new Map<string, string[]>();
  const commands: string[] = [];

  function rulesOf(key: string): string[] {
    const rules = chains.get(key) ?? [];
    chains.set(key, rules);
    return rules;
  }
  function change(option: string, rules: string[], rule: string): CommandResult {
    const at = rules.indexOf(rule);
    if (option === '-I') rules.unshift(rule);
    else if (at < 0) return ABSENT;
    else if (option === '-D') rules.splice(at, 1);
    return OK;
  }

  const fake: FakeIptables = {
    chains,
    commands,
    refuse: undefined,
    run({ file, args }) {
      commands.push([file, ...args].join(' '));
      if (fake.refuse !== undefined) return fake.refuse;
      if (args[0] === '--version') return { ...OK, stdout: `${versions[file] ?? ''}\n` };
      const table = args[args.indexOf('-t') + 1] ?? '';
      const option = args.find((word) => /^-[CIDS]$/.test(word)) ?? '';
      const chain = args[args.indexOf(option) + 1];
      if (option !== '-S') {
        const rule = args.slice(args.indexOf('-t') + 2);
        return change(option, rulesOf(`${file} ${table} ${chain ?? ''}`), listed(rule, chain ?? ''));
      }
      const wanted = `${file} ${table} ${chain ?? ''}`;
      const lines = [...chains].filter(([key]) => key.startsWith(wanted)).flatMap(([, rules]) => rules);
      return { ...OK, stdout: `${lines.join('\n')}\n` };
    },
  };
  return fake;
}

/** Drives steps by the fake, which answers at once. */
export function driveBy<T>(fake: FakeIptables, steps: Steps<T>): T {
  let next = steps.next();
  while (next.done !== true) next = steps.next(fake.run(next.value));
  return next.value;
}

/** From the words of a command to the line of a listing. */
function listed(words: readonly string[], chain: string): string {
  const value = (option: string) => words[words.indexOf(option) + 1] ?? '';
  const side = words.includes('-d') ? 'd' : 's';
  const [ip, protocol] = [value(`-${side}`), value('-p')];
  const mask = ip.includes(':') ? 128 : 32;
  const match = `-${side} ${ip}/${mask} -p ${protocol} -m ${protocol} --${side}port ${value(`--${side}port`)}`;
  return `-A ${chain} ${match} -m comment --comment "${value('--comment')}" -j ${value('-j')}`;
}
