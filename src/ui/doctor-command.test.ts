import { describe, expect, it } from 'vitest';
import { askDoctorCommand } from './doctor-command.ts';

/** A command that prints this and ends so. */
const says = (stdout: string, code = 0, stderr = '') => [
  process.execPath,
  '-e',
  `process.stdout.write(${JSON.stringify(stdout)}); process.stderr.write(${JSON.stringify(stderr)}); process.exitCode = ${code}`,
];

describe('askDoctorCommand', () => {
  it('reads the report, whatever the doctor thinks of the cluster', async () => {
    const report = { version: 1, exitCode: 1, findings: [], pods: [], more: true };
    const read = await askDoctorCommand(says(JSON.stringify(report), 1));
    expect(read).toEqual({
      ...{ exitCode: 1, findings: [], pods: [] },
      ...{ blind: [], notLookedAt: [], notProbed: [] },
    });
  });

  it.each([
    [
      'its own words when it refuses',
      says('', 1, 'zerohop: Cannot look: no right\n  hint\n'),
      'Cannot look: no right',
    ],
    ['how it ended without any', says('', 3), 'exit code 3'],
    ['that it is of another version', says('{"version":2}'), 'not known here'],
    ['that it printed something else', says('hello'), 'JSON'],
    ['that it is not there', ['/nowhere/zerohop'], 'ENOENT'],
  ])('says %s', async (_, command, words) => {
    await expect(askDoctorCommand(command)).rejects.toMatchObject({
      code: 'UI_DOCTOR',
      message: expect.stringContaining(words),
    });
  });

  it('ends one that does not come to an end', async () => {
    const endless = [process.execPath, '-e', 'setInterval(() => 0, 1000)'];
    await expect(askDoctorCommand(endless, 300)).rejects.toMatchObject({ code: 'UI_DOCTOR' });
  });
});
