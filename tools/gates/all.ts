/** The gates that look at the tree alone, in the order they are run and printed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadErrorCatalogue } from './error-catalogue.ts';
import { checkErrors } from './errors.ts';
import { checkLayers, checkPackages, type LayerTable } from './layers.ts';
import { checkLeftovers } from './leftovers.ts';
import { checkMetrics, checkPluginReadmes } from './plugin-docs.ts';
import { checkPurity } from './purity.ts';
import { checkFolders, checkHeads, checkNames, checkSizes } from './sizes.ts';
import type { Finding, Gate, SourceFile } from './source-file.ts';

export interface NamedGate {
  readonly name: string;
  readonly run: Gate;
}

/** Reads the import table and the error catalogue of the tree under `root`. */
export async function treeGates(root: string): Promise<readonly NamedGate[]> {
  const layers: LayerTable = JSON.parse(readFileSync(join(root, 'tools/layers.json'), 'utf8'));
  const catalogue = await loadErrorCatalogue(root);
  return [
    {
      name: 'layers',
      run: (files) => [...checkLayers(files, layers), ...checkPackages(files), ...checkPurity(files)],
    },
    { name: 'sizes', run: together(checkSizes, checkNames, checkFolders, checkHeads) },
    { name: 'leftovers', run: checkLeftovers },
    { name: 'errors', run: (files) => checkErrors(files, catalogue) },
    { name: 'plugin docs', run: together(checkPluginReadmes, checkMetrics) },
  ];
}

function together(...gates: readonly Gate[]): Gate {
  return (files: readonly SourceFile[]): readonly Finding[] => gates.flatMap((gate) => gate(files));
}
