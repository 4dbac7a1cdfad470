/** Runs every conformance file against the real program, one process for each file, its questions in order. */
import { globSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runDig } from './dig.ts';
import { differences, fits } from './expectation.ts';
import { type Case, readSuite } from './suite.ts';
import { apply, pathOf, startUnderTest, type UnderTest } from './under-test.ts';

const PAUSE_MS = 50;
/** A line is printed, or a counter read, within this. */
const SETTLE_MS = 1500;

const files = globSync(new URL('**/*.yaml', import.meta.url).pathname)
  .filter((path) => !path.includes('/objects/') && !path.includes('/refused/'))
  .sort();

describe.each(files.map((path) => ({ name: `${basename(dirname(path))}/${basename(path, '.yaml')}`, path })))(
  '$name',
  ({ path }) => {
    const suite = readSuite(path);
    let server: UnderTest;
    beforeAll(async () => {
      server = await startUnderTest(suite);
    });
    afterAll(() => server?.close());
    it.each(suite.cases)('$name', (each) => runCase(each, server));
  },
);

async function runCase(each: Case, server: UnderTest): Promise<void> {
  const from = server.lines.length;
  const asked = server.upstream.asked.length;
  await prepare(each, server);
  for (let time = 0; time < (each.times ?? 1); time++) await ask(each, server);
  if (each.upstreamAsked !== undefined) {
    expect(server.upstream.asked.slice(asked)).toHaveLength(each.upstreamAsked);
  }
  for (const pattern of each.log ?? []) {
    const lines = () => server.lines.slice(from);
    await expect
      .poll(() => lines().some((line) => new RegExp(server.expand(pattern)).test(line)) || lines(), {
        timeout: SETTLE_MS,
        message: pattern,
      })
      .toBe(true);
  }
  for (const pattern of each.noLog ?? []) {
    expect(server.lines.slice(from).filter((line) => new RegExp(server.expand(pattern)).test(line))).toEqual(
      [],
    );
  }
  for (const wanted of each.metrics ?? []) await expectMetric(server.expand(wanted), server);
}

async function prepare({ before = {} }: Case, server: UnderTest): Promise<void> {
  for (const [name, text] of Object.entries(before.files ?? {})) server.writeFile(name, server.expand(text));
  if (before.upstream !== undefined) server.upstream.replace(before.upstream);
  for (const object of before.apply ?? []) await apply(server.request, object);
  for (const place of before.delete ?? []) await server.request('DELETE', pathOf(place));
  if (before.sleepMs !== undefined) await pause(before.sleepMs);
}

async function ask({ dig, expect: expected, ordered, withinMs = 0 }: Case, server: UnderTest): Promise<void> {
  if (dig === undefined || expected === undefined) return;
  const deadline = Date.now() + withinMs;
  for (;;) {
    const seen = await runDig(server.expand(dig), server.port);
    const found = differences(server.expand(expected), seen, ordered ?? false);
    if (found.length === 0) return;
    if (Date.now() >= deadline) expect.fail(`dig ${dig}\n${found.join('\n')}\n\n${seen.text}`);
    await pause(PAUSE_MS);
  }
}

async function expectMetric(wanted: string, { metricsPort }: UnderTest): Promise<void> {
  const page = async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const family = wanted.split(/[{ ]/)[0] ?? '';
  await expect
    .poll(
      async () => {
        const lines = (await page()).split('\n').filter((line) => line.startsWith(family));
        return lines.some((line) => fits(wanted, line)) || lines;
      },
      { timeout: SETTLE_MS, message: wanted },
    )
    .toBe(true);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
