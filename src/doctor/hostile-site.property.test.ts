/**
 * Names in a cluster, on a node and in packets are whatever somebody wrote. Sites in which every check finds something are
 * made hostile string by string: no check fails on them, no report steers a terminal, and no fix does anything else when it
 * is pasted into a shell or applied.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { Fix } from './check.ts';
import { formatReport, formatReportJson } from './report/format-report.ts';
import { runChecks } from './run-checks.ts';
import type { Site } from './site/site.ts';
import { FAULTY_SITES } from './testing/faulty-sites.ts';

/** Told by the shell's own rules whether it would run. */
const MARK = 'PWNED';
const EVIL = [
  '\u001b]0;x\u0007\u001b[2J',
  '\u009b31m\u202e\u2066\u200b\u2028',
  `'; ${MARK}; '`,
  `"; ${MARK}; "`,
  `$(${MARK})`,
  `\`${MARK}\``,
  `\n${MARK}\n`,
  `\r\n---\nkind: ${MARK}\n`,
  `EOF\n${MARK}`,
  `: {${MARK}: 1}`,
  '\ud800',
  '\u0000',
  '__proto__',
  'constructor',
  '',
  'x'.repeat(1500),
] as const;

/** Every string below, one by one, as the predicate chooses. Rows of the kernel's own making stay. */
function poison(value: unknown, choose: (text: string) => string, path: readonly string[] = []): unknown {
  if (typeof value === 'string') return KEPT.has(path.at(-1) ?? '') ? value : choose(value);
  if (Array.isArray(value)) return value.map((one) => poison(one, choose, path));
  if (value instanceof Map || value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, poison(one, choose, [...path, key])]),
  );
}

/** What only a parser makes (addresses are `Ip`), closed sets of words, and texts of rules, whose words stay words (rule-commands.test.ts). */
const KEPT = new Set([
  ...['protocol', 'kind', 'mode', 'outcome', 'backend', 'family', 'verdict', 'origin', 'addressType', 'type'],
  ...[
    'clusterIPs',
    'podIPs',
    'addresses',
    'address',
    'source',
    'destination',
    'replySource',
    'target',
    'ipvsAddresses',
  ],
  ...['internalIPs', 'text', 'hostIPs', 'externalIPs', 'prefix'],
]);

const choice = fc.record({
  site: fc.nat({ max: FAULTY_SITES.length - 1 }),
  seed: fc.integer(),
  share: fc.constantFrom(0.02, 0.1, 0.5),
  evil: fc.constantFrom(...EVIL),
  keeps: fc.boolean(),
});

/** The same choices for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** What a shell takes for its own: outside of single quotes and comments. */
function shellSees(text: string): string {
  let seen = '';
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? '';
    if (letter === "'") {
      const end = text.indexOf("'", at + 1);
      if (end < 0) return `${seen}${text.slice(at)}`;
      at = end;
    } else if (letter === '#' && /(^|\s)$/.test(text.slice(0, at))) {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end - 1;
    } else if (letter === '\\') at++;
    else seen += letter;
  }
  return seen;
}

function checkFix({ kind, text }: Fix): void {
  if (kind === 'command') expect(shellSees(text)).not.toContain(MARK);
  if (kind !== 'yaml') return;
  const documents = parseAllDocuments(text);
  expect(documents.flatMap(({ errors }) => errors.map(String))).toEqual([]);
  const objects = documents.map((document) => document.toJS() as Record<string, unknown>);
  expect(objects).toHaveLength(1);
  expect(Object.keys(objects[0] ?? {}).sort()).toEqual(['apiVersion', 'kind', 'metadata', 'spec']);
  expect(objects[0]?.kind).toMatch(
    /^(CiliumLocalRedirectPolicy|NetworkPolicy|Cilium(Clusterwide)?NetworkPolicy)$/,
  );
}

const COLOURS = [0, 1, 2, 31, 32, 33, 36].map((code) => `\u001b[${code}m`);
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const STEERS = /(?!\n)[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u;

async function checkReport(site: Site): Promise<readonly string[]> {
  const report = await runChecks(site);
  expect(report.blind.filter(({ reason }) => reason.startsWith('the check itself failed'))).toEqual([]);
  const plain = formatReport(report);
  expect(plain).not.toMatch(STEERS);
  const painted = COLOURS.reduce(
    (text, code) => text.replaceAll(code, ''),
    formatReport(report, { colour: true }),
  );
  expect(painted).not.toMatch(STEERS);
  const json = formatReportJson(report);
  expect(json).not.toMatch(STEERS);
  expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(report)));
  for (const { fix, title } of report.findings) {
    checkFix(fix);
    expect(title).not.toMatch(STEERS);
  }
  return report.findings.map(({ id }) => id);
}

test('the sites that are made hostile are ones in which nearly every check finds something', async () => {
  const ids = new Set<string>();
  for (const site of FAULTY_SITES) for (const id of await checkReport(site)) ids.add(id);
  expect([...ids].sort()).toEqual(
    Array.from({ length: 34 }, (_, at) => `D${String(at + 1).padStart(2, '0')}`),
  );
});

test('no name steers a terminal, breaks a check, or gets out of the fix it stands in', async () => {
  await fc.assert(
    fc.asyncProperty(choice, async ({ site, seed, share, evil, keeps }) => {
      const next = random(seed);
      const choose = (text: string) => (next() < share ? (keeps ? `${text}${evil}` : evil) : text);
      const base = FAULTY_SITES[site];
      if (base === undefined) throw new Error('There is such a site');
      const { cluster, nodes } = poison({ cluster: base.cluster, nodes: base.nodes }, choose) as Pick<
        Site,
        'cluster' | 'nodes'
      >;
      await checkReport({ ...base, cluster, nodes });
    }),
    { numRuns: 60 },
  );
}, 60_000);
