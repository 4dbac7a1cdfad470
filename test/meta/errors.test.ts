/** Error codes: listed once, used as listed, documented exactly. Samples that must fail, then the tree. */
import { describe, expect, it } from 'vitest';
import { type ErrorFolder, loadErrorCatalogue } from '../../tools/gates/error-catalogue.ts';
import { checkErrors, ERRORS_DOCUMENT, formatErrorDocument } from '../../tools/gates/errors.ts';
import { formatFinding } from '../../tools/gates/source-file.ts';
import { root, tree } from './tree.ts';

const catalogue: readonly ErrorFolder[] = [
  { folder: 'src/net', entries: [{ code: 'NET_DOWN', cause: 'It rains', cure: 'Wait.' }] },
];
const document = { path: ERRORS_DOCUMENT, text: formatErrorDocument(catalogue) };

describe('checkErrors', () => {
  it('is content when code, list and document agree', () => {
    const use = { path: 'src/net/a.ts', text: "throw new AppError('NET_DOWN', text);" };
    expect(checkErrors([document, use], catalogue)).toEqual([]);
  });

  it.each([
    {
      name: 'a code that is in no list',
      files: [document, { path: 'src/net/a.ts', text: "throw new AppError(\n  'NET_UP', text);" }],
      says: 'NET_UP is in no errors.ts',
    },
    { name: 'a missing document', files: [], says: 'NET_DOWN is missing' },
    {
      name: 'a document with a code too many',
      files: [{ ...document, text: `${document.text}\n### NET_GONE\n` }],
      says: 'NET_GONE exists no more',
    },
    {
      name: 'a document with another wording',
      files: [{ ...document, text: document.text.replace('rains', 'snows') }],
      says: 'differs',
    },
  ])('refuses $name', ({ files, says }) => {
    expect(checkErrors(files, catalogue).map(({ message }) => message)).toEqual([
      expect.stringContaining(says),
    ]);
  });

  it.each([
    {
      name: 'a code in two lists',
      entry: { code: 'NET_DOWN', cause: 'a', cure: 'b' },
      says: 'stands in src/net already',
    },
    {
      name: 'a code that is not upper case',
      entry: { code: 'netDown', cause: 'a', cure: 'b' },
      says: 'UPPER_SNAKE',
    },
    { name: 'a code without a cure', entry: { code: 'NET_WET', cause: 'a', cure: '' }, says: 'lacks' },
  ])('refuses $name', ({ entry, says }) => {
    const folders = [...catalogue, { folder: 'src/dns', entries: [entry] }];
    const files = [{ ...document, text: formatErrorDocument(folders) }];
    expect(checkErrors(files, folders).map(({ message }) => message)).toEqual([
      expect.stringContaining(says),
    ]);
  });

  it('finds nothing in the tree', async () => {
    expect(checkErrors(tree, await loadErrorCatalogue(root)).map(formatFinding)).toEqual([]);
  });
});
