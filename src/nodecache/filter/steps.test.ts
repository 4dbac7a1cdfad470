import { describe, expect, it } from 'vitest';
import { type CommandResult, NOT_RUN, runSteps, runStepsNow, type Steps } from './steps.ts';

function* shell(...scripts: readonly string[]): Steps<readonly CommandResult[]> {
  const results: CommandResult[] = [];
  for (const script of scripts) results.push(yield { file: 'sh', args: ['-c', script], stdin: 'input' });
  return results;
}

function* nothingSuch(): Steps<CommandResult> {
  return yield { file: 'zerohop-no-such-program', args: [] };
}

const drivers = [
  ['runSteps', runSteps],
  ['runStepsNow', runStepsNow],
] as const;

describe.each(drivers)('%s', (_name, drive) => {
  it('hands on what programs print and how they end', async () => {
    expect(await drive(shell('cat; echo no >&2; exit 3', 'true'))).toEqual([
      { code: 3, stdout: 'input', stderr: 'no\n' },
      { code: 0, stdout: '', stderr: '' },
    ]);
  });

  it('tells of a program that does not exist', async () => {
    const result = await drive(nothingSuch());
    expect(result?.code).toBe(NOT_RUN);
    expect(result?.stderr).toContain('ENOENT');
  });

  it('kills what takes longer than there is time, and starts nothing more', async () => {
    const left = [100.5, 0];
    const run: string[] = [];
    function* slow(): Steps<void> {
      const result = yield { file: 'sleep', args: ['60'] };
      run.push(String(result.code));
      yield { file: 'true', args: [] };
      run.push('never');
    }
    expect(await drive(slow(), { leftMs: () => left.shift() ?? 0 })).toBeUndefined();
    expect(run).toEqual([String(NOT_RUN)]);
  });
});
