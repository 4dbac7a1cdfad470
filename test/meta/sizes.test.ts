/** Sizes, names, heads and leftovers: each rule on a sample that must fail, then on the tree. */
import { describe, expect, it } from 'vitest';
import { checkLeftovers } from '../../tools/gates/leftovers.ts';
import { checkFolders, checkHeads, checkNames, checkSizes } from '../../tools/gates/sizes.ts';
import { formatFinding } from '../../tools/gates/source-file.ts';
import { tree } from './tree.ts';

const file = (lines: number, head: string) => ({
  path: 'src/net/a.ts',
  text: `/** ${head} */\n${'x;\n'.repeat(lines - 1)}`,
});

describe('checkSizes', () => {
  it('refuses a file over 600 lines, whatever its head says', () => {
    expect(checkSizes([file(601, 'This is long, because it is.')])).toHaveLength(1);
  });

  it('refuses a file over 400 lines that gives no reason', () => {
    expect(checkSizes([file(401, 'Owns things.')])).toHaveLength(1);
    expect(checkSizes([file(401, 'Owns things, and belongs elsewhere.')])).toHaveLength(1);
  });

  it.each([
    { name: 'a file of 400 lines', sample: file(400, 'Owns things.') },
    {
      name: 'a longer one with a reason',
      sample: file(600, 'It is this long because the table is one table.'),
    },
    { name: 'a generated one of any length', sample: { ...file(5000, ''), path: 'src/net/a.gen.ts' } },
  ])('lets $name pass', ({ sample }) => {
    expect(checkSizes([sample])).toEqual([]);
  });

  it('finds nothing in the tree', () => {
    expect(checkSizes(tree).map(formatFinding)).toEqual([]);
  });
});

describe('checkNames', () => {
  it.each([
    'index.ts',
    'utils.ts',
    'helpers.ts',
    'common.ts',
    'common.test.ts',
    'camelCase.ts',
    'snake_case.ts',
  ])('refuses %s', (name) => {
    expect(checkNames([{ path: `src/net/${name}`, text: '' }])).toHaveLength(1);
  });

  it('lets kebab-case with any endings pass', () => {
    expect(checkNames([{ path: 'src/net/ip-range.kernel.test.ts', text: '' }])).toEqual([]);
  });

  it('finds nothing in the tree', () => {
    expect(checkNames(tree).map(formatFinding)).toEqual([]);
  });
});

describe('checkFolders', () => {
  const folder = (count: number, ending: string) =>
    Array.from({ length: count }, (_, i) => ({ path: `src/net/f${i}${ending}`, text: '' }));

  it('refuses a folder of 21 source files', () => {
    expect(checkFolders(folder(21, '.ts'))).toHaveLength(1);
  });

  it('does not count tests, generated files and documents', () => {
    const others = ['.test.ts', '.gen.ts', '.md'].flatMap((ending) => folder(21, ending));
    expect(checkFolders([...folder(20, '.ts'), ...others])).toEqual([]);
  });

  it('finds nothing in the tree', () => {
    expect(checkFolders(tree).map(formatFinding)).toEqual([]);
  });
});

describe('checkHeads', () => {
  it('refuses a file that starts with code', () => {
    expect(checkHeads([{ path: 'src/net/a.ts', text: 'export const a = 1;\n/** late */\n' }])).toHaveLength(
      1,
    );
  });

  it.each(['/** Owns a. */\n', '// Owns a.\n', '#!/usr/bin/env node\n/** Owns a. */\n'])(
    'lets %j pass',
    (head) => {
      expect(checkHeads([{ path: 'src/net/a.ts', text: `${head}export const a = 1;\n` }])).toEqual([]);
    },
  );

  it('finds nothing in the tree', () => {
    expect(checkHeads(tree).map(formatFinding)).toEqual([]);
  });
});

describe('checkLeftovers', () => {
  it.each([
    { name: 'a note to oneself', path: 'src/net/a.ts', text: `// ${'TO'}${'DO'}: later` },
    { name: 'a test that shuts out the others', path: 'src/net/a.test.ts', text: `it${'.only'}('x', f);` },
    {
      name: 'a test that is switched off',
      path: 'src/net/a.test.ts',
      text: `describe.concurrent${'.skip'}('x', f);`,
    },
    { name: 'a path of one machine', path: 'docs/a.md', text: `see ${'/home'}/somebody/notes` },
  ])('refuses $name', ({ path, text }) => {
    expect(checkLeftovers([{ path, text }])).toHaveLength(1);
  });

  it('lets a skip with a condition pass', () => {
    expect(checkLeftovers([{ path: 'src/a/a.test.ts', text: "describe.skipIf(!isRoot)('x', f);" }])).toEqual(
      [],
    );
  });

  it('finds nothing in the tree', () => {
    expect(checkLeftovers(tree).map(formatFinding)).toEqual([]);
  });
});
