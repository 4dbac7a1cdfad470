/** What every check owes, whatever it looks for. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHECKS } from './registry.ts';

const FOLDERS = readdirSync(import.meta.dirname, { withFileTypes: true }).filter((entry) =>
  entry.isDirectory(),
);
const FILES = FOLDERS.flatMap(({ name }) => {
  const folder = join(import.meta.dirname, name);
  return readdirSync(folder).map((file) => join(folder, file));
});
const TESTS = FILES.filter((file) => file.endsWith('.test.ts')).map((file) => readFileSync(file, 'utf8'));

describe('CHECKS', () => {
  it('are all that there are, D01 to D25 among them, in the order of their numbers', () => {
    const files = FILES.flatMap((file) => /\/(d\d\d)-[^/]*(?<!test)\.ts$/.exec(file)?.[1] ?? []);
    const written = [...new Set(files)].sort().map((word) => word.toUpperCase());
    expect(CHECKS.map(({ id }) => id)).toEqual(written);
    for (let number = 1; number <= 25; number++)
      expect(written).toContain(`D${String(number).padStart(2, '0')}`);
  });

  it.each(CHECKS.map((check) => [check.id, check] as const))(
    '%s has a title, a test, and pains of the table',
    (id, { title, pains }) => {
      expect(title).toMatch(/^\S.*[^.\s]$/);
      expect(pains.length).toBeGreaterThan(0);
      for (const pain of pains) expect(pain).toMatch(/^P([1-9]|[12]\d|3[0-2])$/);
      const imported = new RegExp(`import \\{ ${id.toLowerCase()} \\} from|['("]${id}['" ]`);
      expect(TESTS.some((text) => imported.test(text))).toBe(true);
    },
  );
});
