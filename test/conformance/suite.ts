/**
 * What a conformance file says. One file is one configuration, with what stands around the server (an upstream, a
 * cluster, files), and the questions that are asked of it in order. The questions are `dig`'s own arguments, and `dig`
 * reads the replies: another program's decoder, and the eyes of an operator. Expectations are written from the RFCs and
 * from CoreDNS's documented behaviour, never copied from this server's output.
 *
 *   about: dns-server 3.4            where the expectations come from
 *   corefile: |                      {$UPSTREAM}, {$DEAD}, {$API}, {$DIR}, {$PORT2} to {$PORT4} are there as variables
 *   flags: [-quiet]                  more flags of `zerohop dns`
 *   files: { name: text }            in {$DIR}
 *   env: { NAME: value }             more of the environment
 *   upstream: [UpstreamRule]         the first that fits answers; REFUSED when none does
 *   objects: [Kubernetes object]     or the name of a YAML file beside this one, several documents
 *   cases: [Case]
 *
 * `process/` holds another kind of file, see process.test.ts, and `refused/` one more, see refused.test.ts.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';

export interface UpstreamRule {
  /** `NAME TYPE`; `*` stands for any name or type. */
  readonly ask: string;
  /** Only queries that came by it. */
  readonly only?: 'udp' | 'tcp';
  /** Answers this often and then never again, so that the next rule has its turn. */
  readonly times?: number;
  readonly rcode?: string;
  /** Of `aa ra ad tc`; default `ra`. */
  readonly flags?: string;
  /** Records, one a line; `60x` before one stands for 60 of them, `@` in it for 1, 2, … */
  readonly answer?: string;
  readonly authority?: string;
  readonly additional?: string;
  /** What is wrong with the reply: nothing comes, another id, another question. */
  readonly fault?: 'silent' | 'wrong-id' | 'wrong-question' | 'garbage';
  readonly delayMs?: number;
}

export interface Case {
  readonly name: string;
  /** Arguments of dig; without EDNS unless they ask for it. `{$PORT2}` and the like are replaced. */
  readonly dig?: string;
  /**
   * `STATUS [FLAGS]`, then the records of the answer; `AUTHORITY` and `ADDITIONAL` head those sections; lines that start
   * with `EDNS`, or with the name of an EDNS option, are lines of dig's pseudo section. What is not said must not be
   * there, except flags when none are named. `*` stands for any run of letters in a word, `~30` for 20 to 30, `#` begins
   * a comment. `NOTHING`: no reply comes. `29x` before a record: so often. Order of records does not matter.
   */
  readonly expect?: string;
  /** Length of the reply in bytes, as dig counts it: `44`, `<=512`, `>512`. */
  readonly bytes?: string;
  /** Messages as bytes, see raw-exchange.ts; `reply` says what comes back, in any order. */
  readonly send?: readonly string[];
  /** How they go; `udp` when not said. */
  readonly over?: 'udp' | 'tcp';
  /** Patterns of replies; an empty list: none comes. */
  readonly reply?: readonly string[];
  /** A TCP connection is closed by the server so many milliseconds after the last of `send`, or after its beginning. */
  readonly closesAfterMs?: readonly [number, number];
  /** A page: `status` and, whole or as a regular expression, what is on it. */
  readonly http?: {
    readonly get: string;
    readonly status: number;
    readonly body?: string;
    readonly like?: readonly string[];
    readonly unlike?: readonly string[];
  };
  /** Records in this order. */
  readonly ordered?: boolean;
  /** Asked so often, each time with the same expectation. */
  readonly times?: number;
  /** How long the expectation may take to come true; default 0: at once. */
  readonly withinMs?: number;
  readonly before?: {
    readonly sleepMs?: number;
    /** Kubernetes objects to create or replace. */
    readonly apply?: readonly unknown[];
    /** `kind/namespace/name`. */
    readonly delete?: readonly string[];
    readonly files?: Readonly<Record<string, string>>;
    readonly upstream?: readonly UpstreamRule[];
    readonly signal?: NodeJS.Signals;
  };
  /** How many queries this case sent to the upstream, health checks and loop probes left out. */
  readonly upstreamAsked?: number;
  /** Each must match a line that the server printed during this case; regular expressions. */
  readonly log?: readonly string[];
  /** Each must match no such line. */
  readonly noLog?: readonly string[];
  /** `name{labels} value` as on the metrics page, which the Corefile puts on 127.0.0.1:{$PORT3}; `*` for any value. */
  readonly metrics?: readonly string[];
}

export interface Suite {
  readonly path: string;
  readonly about: string;
  readonly corefile: string;
  readonly flags: readonly string[];
  readonly files: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly upstream: readonly UpstreamRule[];
  readonly objects: readonly unknown[];
  readonly cases: readonly Case[];
}

const SUITE_KEYS = new Set(['about', 'corefile', 'flags', 'files', 'env', 'upstream', 'objects', 'cases']);
const CASE_KEYS = new Set<string>([
  'name',
  'dig',
  'expect',
  'bytes',
  'send',
  'over',
  'reply',
  'closesAfterMs',
  'http',
  'ordered',
  'times',
  'withinMs',
  'before',
  'upstreamAsked',
  'log',
  'noLog',
  'metrics',
] satisfies (keyof Case)[]);

/** Throws on words it does not know, and on cases that expect nothing: they would prove nothing. */
export function readSuite(path: string): Suite {
  const raw: Partial<Suite> & { objects?: unknown } = parse(readFileSync(path, 'utf8'));
  refuseUnknown(path, raw, SUITE_KEYS);
  const { about, corefile, flags = [], files = {}, env = {}, upstream = [], cases = [] } = raw;
  if (about === undefined || corefile === undefined || cases.length === 0) {
    throw new Error(`${path}: about, corefile and cases must be there`);
  }
  for (const each of cases) checkCase(path, each);
  return { path, about, corefile, flags, files, env, upstream, cases, objects: objectsOf(path, raw.objects) };
}

function checkCase(path: string, each: Case): void {
  refuseUnknown(`${path}: ${each.name}`, each, CASE_KEYS);
  const proves = [each.expect, each.reply, each.closesAfterMs, each.http, each.log, each.noLog, each.metrics];
  if (each.name === undefined || [...proves, each.upstreamAsked].every((word) => word === undefined))
    throw new Error(`${path}: ${each.name} expects nothing`);
  if ((each.dig === undefined) !== (each.expect === undefined)) {
    throw new Error(`${path}: ${each.name}: dig and expect go together`);
  }
  if (each.reply !== undefined && each.send === undefined) {
    throw new Error(`${path}: ${each.name}: reply answers send`);
  }
}

function objectsOf(path: string, objects: unknown): readonly unknown[] {
  if (objects === undefined) return [];
  if (Array.isArray(objects)) return objects;
  const text = readFileSync(join(dirname(path), String(objects)), 'utf8');
  return parseAllDocuments(text).map((document) => document.toJS());
}

function refuseUnknown(where: string, value: object, known: ReadonlySet<string>): void {
  for (const key of Object.keys(value)) {
    if (!known.has(key)) throw new Error(`${where}: there is no such word: ${key}`);
  }
}
