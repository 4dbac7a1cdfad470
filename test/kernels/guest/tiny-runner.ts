/**
 * `describe`, `test` and hooks as the repository's tests use them, in one process and one file after the other: the whole
 * of vitest takes minutes to start under emulation. `expect` is vitest's own. Absent on purpose: snapshots, mocks,
 * concurrency, filters, and every modifier but `each`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect as realExpect } from 'vitest';

type Body = () => unknown;
type Hook = 'beforeAll' | 'beforeEach' | 'afterEach' | 'afterAll';

interface Suite {
  readonly name: string;
  readonly parent: Suite | undefined;
  readonly hooks: Readonly<Record<Hook, Body[]>>;
  readonly children: ({ readonly name: string; readonly body: Body } | Suite)[];
}

export interface TestResult {
  /** With the names of the suites around it. */
  readonly name: string;
  readonly ms: number;
  /** Undefined when it passed. */
  readonly error: string | undefined;
}

const TEST_LIMIT_MS = 60_000;
const POLL_LIMIT_MS = 30_000;
const POLL_INTERVAL_MS = 50;

let current = newSuite('', undefined);

function newSuite(name: string, parent: Suite | undefined): Suite {
  return {
    name,
    parent,
    hooks: { beforeAll: [], beforeEach: [], afterEach: [], afterAll: [] },
    children: [],
  };
}

function describeSuite(name: string, body: Body): void {
  const suite = newSuite(name, current);
  current.children.push(suite);
  current = suite;
  body();
  current = suite.parent ?? suite;
}

function addTest(name: string, body: Body): void {
  current.children.push({ name, body });
}

type Rows = readonly unknown[];

function eachOf(add: (name: string, body: Body) => void) {
  return (rows: Rows) => (name: string, body: (...row: unknown[]) => unknown) => {
    for (const row of rows) {
      const values = Array.isArray(row) ? row : [row];
      add(titleOf(name, values), () => body(...values));
    }
  };
}

/** `$name` of a row that is an object, `%s` and its like of the others. */
function titleOf(name: string, values: readonly unknown[]): string {
  const rest = [...values];
  const [first] = values;
  const fields = typeof first === 'object' && first !== null ? new Map(Object.entries(first)) : new Map();
  return name
    .replaceAll(/\$(\w+)/g, (text, key) => (fields.has(key) ? String(fields.get(key)) : text))
    .replaceAll(/%[sdijo]/g, () => String(rest.shift()));
}

const addHook = (hook: Hook) => (body: Body) => {
  current.hooks[hook].push(body);
};

export const describe = Object.assign(describeSuite, { each: eachOf(describeSuite) });
export const test = Object.assign(addTest, { each: eachOf(addTest) });
export const it = test;
export const beforeAll = addHook('beforeAll');
export const beforeEach = addHook('beforeEach');
export const afterEach = addHook('afterEach');
export const afterAll = addHook('afterAll');

/** Vitest's, except for `poll`, which wants a runner around it. */
export const expect = new Proxy(realExpect, {
  get: (target, key) => (key === 'poll' ? poll : Reflect.get(target, key)),
});

type Matchers = Record<string, (...wanted: unknown[]) => unknown>;

/** Any matcher, until it holds. */
function poll(read: Body): unknown {
  const until = (pick: (value: unknown) => Matchers) =>
    new Proxy(
      {},
      {
        get:
          (_, matcher: string) =>
          async (...wanted: unknown[]) => {
            const deadline = performance.now() + POLL_LIMIT_MS;
            for (;;) {
              try {
                return pick(await read())[matcher]?.(...wanted);
              } catch (error) {
                if (performance.now() > deadline) throw error;
                await sleep(POLL_INTERVAL_MS);
              }
            }
          },
      },
    );
  const not = until((value) => matchersOf(realExpect(value).not));
  const yes = until((value) => matchersOf(realExpect(value)));
  return new Proxy(yes, { get: (target, key) => (key === 'not' ? not : Reflect.get(target, key)) });
}

function matchersOf(assertion: unknown): Matchers {
  return new Proxy({} as Matchers, {
    get:
      (_, name) =>
      (...wanted: unknown[]) => {
        const matcher: unknown = Reflect.get(Object(assertion), name);
        return Reflect.apply(matcher as () => unknown, assertion, wanted);
      },
  });
}

let isWanted: (fullName: string) => boolean = () => true;

/**
 * Imports a test file and runs what it declares, or those tests alone whose full name is wanted; a file that cannot be
 * imported is one failed test.
 */
export async function runFile(
  url: string,
  wanted: (fullName: string) => boolean,
  tell: (result: TestResult) => void,
): Promise<void> {
  const file = newSuite('', undefined);
  current = file;
  isWanted = wanted;
  const failed = await attempt(() => import(url));
  if (failed.error === undefined) await runSuite(file, tell);
  else tell({ name: 'import', ...failed });
}

async function runSuite(suite: Suite, tell: (result: TestResult) => void): Promise<void> {
  if (!hasWanted(suite)) return;
  const before = await attempt(() => inTurn(suite.hooks.beforeAll));
  for (const child of suite.children) {
    if ('body' in child) {
      if (!isWanted(fullName(suite, child.name))) continue;
      const result = before.error === undefined ? await runTest(suite, child.body) : before;
      tell({ name: fullName(suite, child.name), ...result });
    } else if (before.error === undefined) await runSuite(child, tell);
    else tell({ name: fullName(child, 'beforeAll'), ...before });
  }
  const after = await attempt(() => inTurn(suite.hooks.afterAll));
  if (after.error !== undefined) tell({ name: fullName(suite, 'afterAll'), ...after });
}

function hasWanted(suite: Suite): boolean {
  return suite.children.some((child) =>
    'body' in child ? isWanted(fullName(suite, child.name)) : hasWanted(child),
  );
}

async function runTest(suite: Suite, body: Body): Promise<Attempt> {
  const around: Suite[] = [];
  for (let at: Suite | undefined = suite; at !== undefined; at = at.parent) around.unshift(at);
  const run = await attempt(async () => {
    for (const each of around) await inTurn(each.hooks.beforeEach);
    await body();
  });
  const after = await attempt(async () => {
    for (const each of around.toReversed()) await inTurn(each.hooks.afterEach);
  });
  return { ms: run.ms + after.ms, error: run.error ?? after.error };
}

async function inTurn(bodies: readonly Body[]): Promise<void> {
  for (const body of bodies) await body();
}

type Attempt = Omit<TestResult, 'name'>;

async function attempt(body: Body): Promise<Attempt> {
  const began = performance.now();
  const ms = () => Math.round(performance.now() - began);
  const limit = AbortSignal.timeout(TEST_LIMIT_MS);
  try {
    await Promise.race([
      body(),
      new Promise((_, reject) => limit.addEventListener('abort', () => reject(limit.reason))),
    ]);
    return { ms: ms(), error: undefined };
  } catch (error) {
    return { ms: ms(), error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

function fullName(suite: Suite, name: string): string {
  const names = [name];
  for (let at: Suite | undefined = suite; at !== undefined; at = at.parent)
    if (at.name !== '') names.unshift(at.name);
  return names.join(' > ');
}
