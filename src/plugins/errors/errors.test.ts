import { describe, expect, it } from 'vitest';
import type { Handler } from '../../server/handler.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { ask } from '../fake-query.ts';
import { setup } from './setup.ts';

function failing(text: string, rcode = 2): Handler {
  return () => ({ rcode, error: new Error(text) });
}

function start(lines: string) {
  const host = fakeHost();
  const instance = setUp(setup, lines, { host });
  const query = async (text: string, qname = 'Drop.ex.test.') => {
    await instance.plugin?.(failing(text))(ask(qname));
  };
  return { host, instance, query };
}

describe('errors', () => {
  it('prints code, lower-case name, type and reason', async () => {
    const { host, query } = start('errors');
    await query('read udp 127.0.0.1:36701->127.0.0.1:5399: i/o timeout');
    expect(host.lines).toEqual([
      '[ERROR] 2 drop.ex.test. A: read udp 127.0.0.1:36701->127.0.0.1:5399: i/o timeout',
    ]);
  });

  it('prints nothing for an error code without a reason, and passes the reply on', async () => {
    const { host, instance } = start('errors');
    const reply = { rcode: 2 };
    expect(await instance.plugin?.(() => Promise.resolve(reply))(ask('a.test.'))).toBe(reply);
    expect(host.lines).toEqual([]);
  });

  it('lets no text break a line', async () => {
    const { host, query } = start('errors');
    await query('one\n[INFO] two');
    expect(host.lines).toEqual(['[ERROR] 2 drop.ex.test. A: one [INFO] two']);
  });

  it('counts what a pattern matches and tells once per period', async () => {
    const { host, query } = start('errors {\nconsolidate 5m ".* i/o timeout$" warning\n}');
    for (let i = 0; i < 3; i++) await query('read udp: i/o timeout');
    await query('EOF');
    expect(host.lines).toEqual(['[ERROR] 2 drop.ex.test. A: EOF']);
    host.clock.pass(300_000);
    expect(host.lines.at(-1)).toBe("[WARNING] 3 errors like '.* i/o timeout$' occurred in last 5m0s");
    host.clock.pass(300_000);
    expect(host.lines).toHaveLength(2);
  });

  it('looks for a pattern in the reason alone, from its first letter', async () => {
    const { host, query } = start('errors {\nconsolidate 30s "^read udp" info\nconsolidate 30s "drop"\n}');
    await query('read udp: i/o timeout');
    host.clock.pass(30_000);
    expect(host.lines).toEqual(["[INFO] 1 errors like '^read udp' occurred in last 30s"]);
  });

  it('shows the first one at once with show_first, and no summary of one', async () => {
    const { host, query } = start('errors {\nconsolidate 30s timeout show_first\n}');
    await query('timeout');
    host.clock.pass(30_000);
    expect(host.lines).toEqual(['[ERROR] 2 drop.ex.test. A: timeout']);
    await query('timeout');
    await query('timeout');
    host.clock.pass(30_000);
    expect(host.lines.slice(2)).toEqual(["[ERROR] 2 errors like 'timeout' occurred in last 30s"]);
  });

  it('shows the first of a period at the level of its rule', async () => {
    const { host, query } = start('errors {\nstacktrace\nconsolidate 30s timeout warning show_first\n}');
    await query('timeout');
    await query('timeout');
    host.clock.pass(30_000);
    expect(host.lines).toEqual([
      '[WARNING] 2 drop.ex.test. A: timeout',
      "[WARNING] 2 errors like 'timeout' occurred in last 30s",
    ]);
  });

  it('asks the server for stacks when it says stacktrace', () => {
    expect(setUp(setup, 'errors {\nstacktrace\n}').stacktrace).toBe(true);
    expect(setUp(setup, 'errors').stacktrace).toBeUndefined();
  });

  it('tells what it has counted when it ends', async () => {
    const { host, instance, query } = start('errors {\nconsolidate 30s timeout\n}');
    await query('timeout');
    await instance.onShutdown?.();
    expect(host.lines).toEqual(["[ERROR] 1 errors like 'timeout' occurred in last 30s"]);
  });

  it('is not slowed down by a pattern that backtracks elsewhere', async () => {
    const { host, query } = start('errors {\nconsolidate 30s (a+)+$\n}');
    await query(`${'a'.repeat(5000)}!`);
    expect(host.lines).toHaveLength(1);
  });

  const refused: [name: string, lines: string, text: string][] = [
    ['another file', 'errors /var/log/x', 'invalid log file: /var/log/x'],
    ['a repetition', 'errors\nerrors', 'plugin/errors: this plugin can only be used once per Server Block'],
    [
      'an unknown option',
      'errors {\nnosuch\n}',
      "Syntax error: Unexpected token 'nosuch', expecting 'Unknown field nosuch'",
    ],
    ['a bad level', 'errors {\nconsolidate 5s x loud\n}', 'unknown log level argument in consolidate: loud'],
    ['a bad duration', 'errors {\nconsolidate 5 x\n}', 'missing unit in duration'],
    ['look-ahead', 'errors {\nconsolidate 5s (?=x)\n}', 'invalid pattern'],
    ['an argument of stacktrace', 'errors {\nstacktrace yes\n}', 'Wrong argument count'],
    ['a level behind show_first', 'errors {\nconsolidate 5s x show_first info\n}', 'invalid option: info'],
  ];
  it.each(refused)('refuses %s', (_name, lines, text) => {
    expect(() => setUp(setup, lines)).toThrow(text);
  });
});
