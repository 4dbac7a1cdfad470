/**
 * Every YAML file of this folder and its subfolders is one test. `UPDATE=1` rewrites the expectations; the author then
 * reads the difference against the specification, for the output proves nothing about itself.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { derive } from '../../src/policy/derive.ts';
import { createDeriver } from '../../src/policy/deriver.ts';
import { listFrontends } from '../../src/policy/list-frontends.ts';
import { formatTable } from './format-table.ts';
import { readScenario, type Scenario } from './read-scenario.ts';

const update = process.env.UPDATE === '1';

/** Each moment by itself, and by one deriver that has followed the story: both must say the same. */
function deriveAll({ moments, ...options }: Scenario) {
  const deriver = createDeriver(options);
  return moments.map(({ tables, synced, expected }, index) => {
    const snapshot = { ...tables, generation: index + 1, synced };
    const table = derive(snapshot, options);
    expect(deriver.update(snapshot)).toEqual(table);
    return formatTable(table, listFrontends(snapshot, table), expected);
  });
}

const files = globSync('**/*.yaml', { cwd: import.meta.dirname }).sort();

describe('scenarios', () => {
  it('are at least forty', () => {
    expect(files.length).toBeGreaterThanOrEqual(40);
  });

  it.each(files)('%s', (file) => {
    const path = join(import.meta.dirname, file);
    const { scenario, documents } = readScenario(file, readFileSync(path, 'utf8'));
    const actual = deriveAll(scenario);
    if (update) {
      scenario.moments.forEach(({ document }, index) => {
        for (const [key, value] of Object.entries(actual[index] ?? {})) document.set(key, value);
      });
      writeFileSync(path, documents.map((document) => document.toString({ lineWidth: 0 })).join(''));
      return;
    }
    scenario.moments.forEach(({ expected }, index) => {
      expect(actual[index], `${scenario.name}: expectation ${index + 1}`).toEqual(expected);
    });
  });
});
