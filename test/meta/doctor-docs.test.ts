/** The doctor's page: samples that must fail, then the page against the checks there are. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CHECKS } from '../../src/doctor/checks/registry.ts';
import { checkDoctorDocs, sectionHead } from '../../tools/gates/doctor-docs.ts';

const check = { id: 'D01', title: 'A title', pains: ['P1'], needs: { node: ['rules', 'sockets'] } };
const SECTION = `${sectionHead(check)}\nWhat it looks at. **Fix**: this.\n`;
const PAGE = `# Doctor\n\n## Checks\n\n${SECTION}\n## Pains\n\n| P1 | it hurts |\n`;

describe('checkDoctorDocs', () => {
  it.each([
    {
      name: 'a check without a section',
      page: PAGE.replace('### D01', '### D1'),
      says: 'D01 has no section',
    },
    { name: 'another title', page: PAGE.replace('A title', 'The title'), says: 'D01 does not begin as' },
    { name: 'other pains', page: PAGE.replace('P1 ·', 'P2 ·'), says: 'D01 does not begin as' },
    { name: 'other needs', page: PAGE.replace('rules, sockets', 'rules'), says: 'D01 does not begin as' },
    { name: 'no fix', page: PAGE.replace('**Fix**', 'Fix'), says: 'D01 does not say how it is mended' },
    {
      name: 'a check that is gone',
      page: PAGE.replace('## Pains', '### D99 Gone\n\n## Pains'),
      says: 'D99 is no check',
    },
    {
      name: 'a pain without a row',
      page: PAGE.replace('| P1 |', '| P2 |'),
      says: 'P1 of D01 is explained nowhere',
    },
  ])('refuses $name', ({ page, says }) => {
    expect(checkDoctorDocs(page, [check])).toContainEqual(expect.stringContaining(says));
  });

  it('lets a whole page pass', () => {
    expect(checkDoctorDocs(PAGE, [check])).toEqual([]);
  });

  it('finds nothing in docs/doctor.md', () => {
    const page = readFileSync(new URL('../../docs/doctor.md', import.meta.url), 'utf8');
    const documented = CHECKS.map(({ id, title, pains, needs }) => ({
      id,
      title,
      pains,
      needs: { ...needs },
    }));
    expect(checkDoctorDocs(page, documented)).toEqual([]);
  });
});
