import { describe, expect, it } from 'vitest';
import { type FlagTable, parseGoFlags } from './go-flags.ts';

const TABLE: FlagTable = {
  conf: { kind: 'string', default: '', help: '' },
  'dns.port': { kind: 'int', default: '53', help: '' },
  quiet: { kind: 'bool', default: 'false', help: '' },
  setup: { kind: 'bool', default: 'true', help: '' },
};

function parse(...args: string[]) {
  const flags = parseGoFlags(args, TABLE);
  const { wantsHelp, rest } = flags;
  return {
    conf: flags.text('conf'),
    port: flags.int('dns.port'),
    quiet: flags.flag('quiet'),
    setup: flags.flag('setup'),
    wantsHelp,
    rest,
  };
}

const DEFAULTS = { conf: '', port: 53, quiet: false, setup: true, wantsHelp: false, rest: [] as string[] };

describe('parseGoFlags', () => {
  const accepted: [name: string, args: string[], expected: Partial<typeof DEFAULTS>][] = [
    ['nothing', [], {}],
    ['one dash and a blank', ['-conf', '/etc/Corefile'], { conf: '/etc/Corefile' }],
    ['two dashes and an equals sign', ['--conf=a=b'], { conf: 'a=b' }],
    ['a value that starts with a dash', ['-conf', '-x'], { conf: '-x' }],
    ['a bool alone', ['-quiet'], { quiet: true }],
    ['a bool that is told', ['-setup=false', '-quiet=T'], { setup: false, quiet: true }],
    ['a bool never takes the next word', ['-quiet', 'false'], { quiet: true, rest: ['false'] }],
    ['the last one wins', ['-dns.port', '1', '-dns.port=1053'], { port: 1053 }],
    ['words end the flags', ['x', '-quiet'], { rest: ['x', '-quiet'] }],
    ['two dashes end the flags', ['--', '-quiet'], { rest: ['-quiet'] }],
    ['help', ['-help'], { wantsHelp: true }],
  ];
  it.each(accepted)('takes %s', (_name, args, expected) => {
    expect(parse(...args)).toEqual({ ...DEFAULTS, ...expected });
  });

  const refused: [args: string[], message: string][] = [
    [['-nosuch'], 'flag provided but not defined: -nosuch'],
    [['-conf'], 'flag needs an argument: -conf'],
    [['-quiet=maybe'], 'invalid boolean value "maybe" for -quiet: parse error'],
    [['-dns.port', '5x'], 'invalid value "5x" for flag -dns.port: parse error'],
    [['-constructor'], 'flag provided but not defined: -constructor'],
  ];
  it.each(refused)('refuses %j', (args, message) => {
    expect(() => parse(...args)).toThrow(message);
  });
});
