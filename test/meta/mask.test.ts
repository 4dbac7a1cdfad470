/** The gates stand on this: what is not code goes, what is code stays where it was. */
import { describe, expect, it } from 'vitest';
import { importsOf } from '../../tools/gates/imports.ts';
import { maskCode } from '../../tools/gates/mask.ts';
import { isCode } from '../../tools/gates/source-file.ts';
import { tree } from './tree.ts';

describe('maskCode', () => {
  it.each([
    { name: 'a line comment', text: 'a; // gone\nb;' },
    { name: 'a block comment', text: 'a; /* gone\n gone */ b;' },
    { name: 'a string with an escaped quote', text: "a('gone\\' gone'); b;" },
    { name: 'a string that looks like a comment', text: "a('// gone'); b;" },
    { name: 'a template', text: 'a(`gone // gone`); b;' },
    { name: 'code in a template', text: ['a(`gone $', '{b} gone`);'].join('') },
    {
      name: 'a template in a template',
      text: ['a(`gone $', '{x(`gone $', '{b} gone`, {})} gone`);'].join(''),
    },
    { name: 'a regular expression with a slash in a class', text: 'a(/gone[/]gone/); b;' },
    { name: 'a regular expression with a quote', text: "a = /'gone/; b;" },
  ])('blanks $name', ({ text }) => {
    const code = maskCode(text, { keepStrings: false });
    expect(code).not.toContain('gone');
    expect(code).toMatch(/^a/);
    expect(code).toContain('b');
    expect(code).toHaveLength(text.length);
  });

  it('does not take a division for a regular expression', () => {
    const text = 'const c = (a) / b / 2;';
    expect(maskCode(text, { keepStrings: false })).toBe(text);
  });

  it('keeps every line of every file of the tree where it was', () => {
    for (const { text } of tree.filter(isCode)) {
      const code = maskCode(text, { keepStrings: true });
      expect(code).toHaveLength(text.length);
      expect(code.split('\n')).toHaveLength(text.split('\n').length);
    }
  });
});

describe('importsOf', () => {
  it('finds every import of a file whose strings and comments try to confuse it', () => {
    const text = [
      "import { a } from './a.ts';",
      "import b, { type C } from './b.ts';",
      "export * from './c.ts';",
      "const d = 'import x from \"./no.ts\"'; // import y from './no.ts';",
      "type E = import('./e.ts').E;",
      "const f = () => import('./f.ts');",
    ].join('\n');
    expect(importsOf({ path: 'src/net/x.ts', text }).map(({ specifier, line }) => [specifier, line])).toEqual(
      [
        ['./a.ts', 1],
        ['./b.ts', 2],
        ['./c.ts', 3],
        ['./e.ts', 5],
        ['./f.ts', 6],
      ],
    );
  });
});
