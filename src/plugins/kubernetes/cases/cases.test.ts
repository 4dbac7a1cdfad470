import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type QueryCase, readCaseFile } from './case-file.ts';
import { caseHandler, type Observed, runQuery, spelledZone } from './run-case.ts';

const here = new URL('.', import.meta.url);
const paths = readdirSync(here)
  .filter((file) => file.endsWith('.yaml') && file !== 'cluster.yaml')
  .map((file) => new URL(file, here));

/** Names asked for once with and once without an answer read better with their expectation beside them. */
function title({ q, a, is, why }: QueryCase): string {
  const says = is ?? (a?.length === 1 ? a[0] : `${a?.length} answers`);
  return `${q} → ${says}${why === undefined ? '' : ` (${why})`}`;
}

function checkHeader({ message }: Observed, { q }: QueryCase): void {
  expect(message?.flags).toMatchObject({ response: true, authoritative: true, recursionAvailable: false });
  expect(message?.questions[0]?.name, 'the question keeps its case').toBe(q.split(' ')[0]);
}

describe.each(paths.map((path) => ({ path, file: readCaseFile(path) })))(
  'kubernetes: $file.name',
  ({ file }) => {
    const handler = caseHandler(file);

    it.each(file.queries.map((query) => ({ query, title: title(query) })))('$title', async ({ query }) => {
      const observed = await runQuery(handler, query);
      expect(observed.result).toBe(query.is ?? 'ANSWER');
      expect(observed.answers).toEqual([...(query.a ?? [])].sort());
      expect(observed.additionals).toEqual([...(query.extra ?? [])].sort());
      if (query.authority !== undefined) expect(observed.authorities).toEqual(query.authority);
      if (query.is === 'NEXT' || query.is === 'REFUSED') return;
      checkHeader(observed, query);
      if (query.is !== undefined && query.authority === undefined) {
        const zone = spelledZone(file, query);
        expect(observed.authorities).toHaveLength(1);
        expect(observed.authorities[0]).toMatch(new RegExp(`^${zone.replaceAll('.', '\\.')} \\d+ SOA `));
      }
    });
  },
);

it('kubernetes: the case files hold what the tables of the specification need', () => {
  const queries = paths.flatMap((path) => readCaseFile(path).queries);
  expect(queries.length).toBeGreaterThanOrEqual(120);
});
