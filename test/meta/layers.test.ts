/** The import walls: each rule on a sample that must fail, then on the tree. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkLayers, checkPackages, type LayerTable } from '../../tools/gates/layers.ts';
import { checkPurity } from '../../tools/gates/purity.ts';
import { formatFinding } from '../../tools/gates/source-file.ts';
import { root, tree } from './tree.ts';

const LAYERS: LayerTable = { net: [], policy: ['net'], plugins: ['net'], sys: ['net'], cli: ['policy'] };

describe('checkLayers', () => {
  it.each([
    {
      name: 'an edge the table lacks',
      path: 'src/net/a.ts',
      text: "import { b } from '../policy/b.ts';",
      says: 'net may not import policy',
    },
    {
      name: 'a type-only edge the table lacks',
      path: 'src/net/a.ts',
      text: "import type { B } from '../policy/b.ts';",
      says: 'net may not import policy',
    },
    {
      name: 'a re-export',
      path: 'src/net/a.ts',
      text: "export { b } from '../policy/b.ts';",
      says: 'net may not import policy',
    },
    {
      name: 'an import over several lines',
      path: 'src/net/a.ts',
      text: "import {\n  b,\n} from '../policy/b.ts';",
      says: 'net may not import policy',
    },
    {
      name: 'a dynamic import',
      path: 'src/net/a.ts',
      text: "const b = await import('../policy/b.ts');",
      says: 'net may not import policy',
    },
    {
      name: 'an import for its side effects',
      path: 'src/net/a.ts',
      text: "import '../policy/b.ts';",
      says: 'net may not import policy',
    },
    {
      name: 'an import of cli',
      path: 'src/policy/a.ts',
      text: "import { main } from '../cli/main.ts';",
      says: 'policy may not import cli',
    },
    {
      name: 'a plugin that imports another',
      path: 'src/plugins/cache/a.ts',
      text: "import { b } from '../forward/b.ts';",
      says: 'plugin cache may not import plugin forward',
    },
    {
      name: 'a folder without a row',
      path: 'src/misc/a.ts',
      text: "import { b } from '../net/b.ts';",
      says: 'misc is not in tools/layers.json',
    },
    {
      name: 'a way out of src',
      path: 'src/net/a.ts',
      text: "import { b } from '../../tools/b.ts';",
      says: 'leads out of src',
    },
    {
      name: 'a path without extension',
      path: 'src/net/a.ts',
      text: "import { b } from './b';",
      says: 'lacks its extension',
    },
  ])('refuses $name', ({ path, text, says }) => {
    const findings = checkLayers([{ path, text }], LAYERS);
    expect(findings.map(({ message }) => message)).toEqual([expect.stringContaining(says)]);
  });

  it.each([
    { name: 'an edge of the table', path: 'src/policy/a.ts', text: "import { b } from '../net/b.ts';" },
    {
      name: 'a neighbour in the same folder',
      path: 'src/policy/sub/a.ts',
      text: "import { b } from '../b.ts';",
    },
    {
      name: 'what all plugins share',
      path: 'src/plugins/cache/a.ts',
      text: "import { b } from '../contract.ts';",
    },
    {
      name: 'the list of all plugins',
      path: 'src/plugins/order.ts',
      text: "import { setup } from './cache/setup.ts';",
    },
    { name: 'an edge in a comment', path: 'src/net/a.ts', text: "// import { b } from '../policy/b.ts';" },
  ])('lets $name pass', ({ path, text }) => {
    expect(checkLayers([{ path, text }], LAYERS)).toEqual([]);
  });

  it('refuses a table that opens cli to somebody', () => {
    expect(checkLayers([], { cli: [], agent: ['cli'] })).toHaveLength(1);
  });

  it('finds nothing in the tree', () => {
    const layers: LayerTable = JSON.parse(readFileSync(`${root}/tools/layers.json`, 'utf8'));
    expect(checkLayers(tree, layers).map(formatFinding)).toEqual([]);
  });
});

describe('checkPackages', () => {
  const manifest = { path: 'package.json', text: '{"dependencies":{"pino":"1","koffi":"1"}}' };

  it.each([
    {
      name: 'a package in two files of a folder',
      files: [
        { path: 'src/net/a.ts', text: "import { pino } from 'pino';" },
        { path: 'src/net/b.ts', text: "import { pino } from 'pino/browser';" },
      ],
      says: 'pino is imported by src/net/a.ts already',
    },
    {
      name: 'koffi outside sys',
      files: [{ path: 'src/net/a.ts', text: "import koffi from 'koffi';" }],
      says: 'only src/sys may import koffi',
    },
    {
      name: 'an undeclared package',
      files: [{ path: 'src/net/a.ts', text: "import { x } from '@scope/x/y';" }],
      says: '@scope/x is not a run-time dependency',
    },
  ])('refuses $name', ({ files, says }) => {
    const findings = checkPackages([manifest, ...files]);
    expect(findings.map(({ message }) => message)).toEqual([expect.stringContaining(says)]);
  });

  it('lets tests use what they like', () => {
    expect(
      checkPackages([manifest, { path: 'src/net/a.test.ts', text: "import { it } from 'vitest';" }]),
    ).toEqual([]);
  });

  it('finds nothing in the tree', () => {
    expect(checkPackages(tree).map(formatFinding)).toEqual([]);
  });
});

describe('checkPurity', () => {
  it.each([
    "import { readFileSync } from 'node:fs';",
    "import { parse } from 'yaml';",
    'export async function derive() {}',
    'const now = Date.now();',
    'const chance = Math.random();',
    'setTimeout(run, 1);',
    ['const text = `$', '{new Date()}`;'].join(''),
    'const mode = process.env.MODE;',
  ])('refuses %s in policy', (text) => {
    expect(checkPurity([{ path: 'src/policy/a.ts', text }])).toHaveLength(1);
  });

  it('does not mind words in comments, strings and regular expressions, or other folders', () => {
    const text =
      "/** Not async. */\nconst a = 'Date'; // await\nconst b = /Date/;\nconst c = `Math.random`;\n";
    expect(checkPurity([{ path: 'src/policy/a.ts', text }])).toEqual([]);
    expect(checkPurity([{ path: 'src/kube/a.ts', text: 'const now = Date.now();' }])).toEqual([]);
  });

  it('finds nothing in the tree', () => {
    expect(checkPurity(tree).map(formatFinding)).toEqual([]);
  });
});
