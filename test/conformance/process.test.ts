/**
 * The program as a process: flags, lines on both outputs, signals, exit codes, files. One case is one run; the files of
 * `process/` hold them. Patterns are regular expressions in which `{$PORT}`, `{$PORT2}`, `{$PORT3}` and `{$DIR}` stand
 * for what they are in the Corefile.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { freePorts } from '../../src/net/testing/free-ports.ts';
import { runDig } from './dig.ts';
import { differences } from './expectation.ts';
import { eventually } from './probe.ts';

interface Step {
  /** A line that must come on either output before the next step. */
  readonly line?: string;
  readonly signal?: NodeJS.Signals;
  readonly write?: Readonly<Record<string, string>>;
  /** Path and the pattern of its text; null: it is not there. */
  readonly file?: Readonly<Record<string, string | null>>;
  readonly dig?: string;
  readonly expect?: string;
  readonly sleepMs?: number;
}

interface ProcessCase {
  readonly name: string;
  /** Default `dns -conf Corefile -dns.port {$PORT}`. */
  readonly command?: string;
  readonly flags?: readonly string[];
  readonly corefile?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly steps?: readonly Step[];
  /** Each matches a line, in this order; others may stand between. */
  readonly stdout?: readonly string[];
  readonly stderr?: readonly string[];
  /** Matches no line of either. */
  readonly never?: readonly string[];
  /** Of a process that ends on its own or by the last step. Without it SIGKILL ends it. */
  readonly exit?: number;
  readonly filesAfter?: Readonly<Record<string, string | null>>;
}

const PROGRAM = new URL('../../src/cli/boot/zerohop.mjs', import.meta.url).pathname;
const LINE_MS = 20_000;
const scratch = mkdtempSync(join(tmpdir(), 'zerohop-process-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const suites = globSync(new URL('process/*.yaml', import.meta.url).pathname).sort();
const cases = suites.flatMap((path) => {
  const { cases: own }: { cases: readonly ProcessCase[] } = parse(readFileSync(path, 'utf8'));
  return own.map((each) => ({ title: `${basename(path, '.yaml')} > ${each.name}`, each }));
});

describe('process', () => {
  it.concurrent.each(cases)('$title', async ({ each }) => {
    const run = await start(each);
    try {
      await judge(each, run);
    } finally {
      run.child.kill('SIGKILL');
    }
  });
});

async function judge(each: ProcessCase, run: Run): Promise<void> {
  for (const step of each.steps ?? []) await take(step, run);
  if (each.exit !== undefined) expect(await exitOf(run)).toBe(each.exit);
  inOrder(each.stdout ?? [], run, 'stdout');
  inOrder(each.stderr ?? [], run, 'stderr');
  const all = [...run.lines.stdout, ...run.lines.stderr];
  for (const pattern of each.never ?? []) expect(all).not.toContainEqual(expect.stringMatching(pattern));
  expectFiles(each.filesAfter ?? {}, run);
}

interface Run {
  readonly child: ChildProcess;
  readonly closed: Promise<unknown[]>;
  readonly directory: string;
  readonly port: number;
  readonly lines: { readonly stdout: string[]; readonly stderr: string[] };
  expand(text: string): string;
}

async function start({
  command,
  flags = [],
  files = {},
  corefile,
  env = {},
  stdin,
}: ProcessCase): Promise<Run> {
  const directory = mkdtempSync(join(scratch, 'case-'));
  const [port = 0, PORT2, PORT3] = await freePorts(3);
  const variables: Readonly<Record<string, unknown>> = { DIR: directory, PORT: port, PORT2, PORT3 };
  const expand = (text: string) =>
    text.replace(/\{\$(\w+)\}/g, (whole, name) => String(variables[name] ?? whole));
  const all = { ...files, ...(corefile !== undefined && { Corefile: corefile }) };
  for (const [name, text] of Object.entries(all)) write(directory, name, expand(text));
  const words = expand(command ?? 'dns -conf Corefile -dns.port {$PORT}').split(' ');
  const child = spawn(process.execPath, [PROGRAM, ...words, ...flags.map(expand)], {
    cwd: directory,
    env: { ...process.env, ...env },
  });
  child.stdin.end(stdin === undefined ? '' : expand(stdin));
  const lines = { stdout: linesOf(child, 'stdout'), stderr: linesOf(child, 'stderr') };
  return { child, closed: once(child, 'close'), directory, port, lines, expand };
}

function write(directory: string, name: string, text: string): void {
  mkdirSync(dirname(join(directory, name)), { recursive: true });
  writeFileSync(join(directory, name), text);
}

function linesOf(child: ChildProcess, stream: 'stdout' | 'stderr'): string[] {
  const lines: string[] = [];
  let rest = '';
  child[stream]?.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  return lines;
}

async function take(step: Step, run: Run): Promise<void> {
  const { child, lines, expand } = run;
  if (step.line !== undefined) {
    const wanted = new RegExp(expand(step.line));
    await eventually(LINE_MS, () => {
      const all = [...lines.stdout, ...lines.stderr];
      return all.some((line) => wanted.test(line)) ? undefined : `no line ${step.line}\n${all.join('\n')}`;
    });
  }
  for (const [name, text] of Object.entries(step.write ?? {})) write(run.directory, name, expand(text));
  if (step.signal !== undefined) child.kill(step.signal);
  if (step.sleepMs !== undefined) await new Promise((resolve) => setTimeout(resolve, step.sleepMs));
  expectFiles(step.file ?? {}, run);
  const { dig, expect: expected } = step;
  if (dig === undefined || expected === undefined) return;
  await eventually(LINE_MS, async () => {
    const seen = await runDig(expand(dig), run.port);
    const found = differences(expand(expected), seen, false);
    return found.length === 0 ? undefined : `dig ${dig}\n${found.join('\n')}\n\n${seen.text}`;
  });
}

async function exitOf({ child, closed, lines }: Run): Promise<number | null> {
  const killer = setTimeout(() => child.kill('SIGKILL'), LINE_MS);
  await closed;
  clearTimeout(killer);
  if (child.exitCode === null)
    expect.fail(`it did not end\n${[...lines.stdout, ...lines.stderr].join('\n')}`);
  return child.exitCode;
}

function inOrder(patterns: readonly string[], { lines, expand }: Run, stream: 'stdout' | 'stderr'): void {
  let from = 0;
  for (const pattern of patterns) {
    const wanted = new RegExp(expand(pattern));
    const at = lines[stream].findIndex((line, index) => index >= from && wanted.test(line));
    if (at < 0) expect.fail(`no line ${pattern} from line ${from} of ${stream}\n${lines[stream].join('\n')}`);
    from = at + 1;
  }
}

function expectFiles(files: Readonly<Record<string, string | null>>, { directory, expand }: Run): void {
  for (const [name, pattern] of Object.entries(files)) {
    const path = join(directory, name);
    if (pattern === null) expect(existsSync(path), name).toBe(false);
    else expect(readFileSync(path, 'utf8'), name).toMatch(new RegExp(expand(pattern)));
  }
}
