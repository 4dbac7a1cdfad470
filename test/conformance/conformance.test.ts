/** Runs every conformance file against the real program, one process for each file, its questions in order; a few files at a time. */
import { globSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, probe } from './probe.ts';
import { type Case, readSuite } from './suite.ts';
import { apply, pathOf, startUnderTest, type UnderTest } from './under-test.ts';

/** What a case sets off is seen within this, also on a machine that is busy with other things. */
const SETTLE_MS = 10_000;

const files = globSync(new URL('**/*.yaml', import.meta.url).pathname)
  .filter((path) => !/\/(objects|refused|process)\//.test(path))
  .sort();

describe.concurrent.each(
  files.map((path) => ({ name: `${basename(dirname(path))}/${basename(path, '.yaml')}`, path })),
)('$name', ({ path }) => {
  const suite = readSuite(path);
  let server: UnderTest;
  beforeAll(async () => {
    server = await startUnderTest(suite);
  });
  afterAll(() => server?.close());
  it.each(suite.cases)('$name', { concurrent: false }, (each) => runCase(each, server));
});

async function runCase(each: Case, server: UnderTest): Promise<void> {
  const from = server.lines.length;
  const asked = server.upstream.asked.length;
  await prepare(each, server);
  for (let time = 0; time < (each.times ?? 1); time++) await probe(each, server);
  if (each.upstreamAsked !== undefined) {
    // A query that is asked in the background is on its way when the answer is here.
    await eventually(SETTLE_MS, () => {
      const seen = server.upstream.asked.slice(asked);
      if (seen.length === each.upstreamAsked) return undefined;
      return `upstream: expected ${each.upstreamAsked} queries, got\n${seen.join('\n')}`;
    });
  }
  for (const pattern of each.log ?? []) {
    const wanted = new RegExp(server.expand(pattern));
    await eventually(Math.max(SETTLE_MS, each.withinMs ?? 0), () => {
      const lines = server.lines.slice(from);
      return lines.some((line) => wanted.test(line)) ? undefined : `no line ${pattern}\n${lines.join('\n')}`;
    });
  }
  for (const pattern of each.noLog ?? []) {
    expect(server.lines.slice(from).filter((line) => new RegExp(server.expand(pattern)).test(line))).toEqual(
      [],
    );
  }
}

async function prepare({ before = {} }: Case, server: UnderTest): Promise<void> {
  for (const [name, text] of Object.entries(before.files ?? {})) server.writeFile(name, server.expand(text));
  if (before.upstream !== undefined) server.upstream.replace(before.upstream);
  for (const object of before.apply ?? []) await apply(server.request, object);
  for (const place of before.delete ?? []) await server.request('DELETE', pathOf(place));
  if (before.signal !== undefined) server.signal(before.signal);
  if (before.sleepMs !== undefined) await new Promise((resolve) => setTimeout(resolve, before.sleepMs));
}
