/** The tree as it stands, read once for all meta-tests of a file. */
import { join } from 'node:path';
import { loadTree } from '../../tools/gates/source-file.ts';

export const root = join(import.meta.dirname, '../..');
export const tree = loadTree(root);
