/**
 * A case file: one cluster, one directive, and what queries must say. Reads the YAML and refuses unknown words, because
 * a misspelt expectation would otherwise pass for ever.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { KindName } from '../../../cluster/snapshot.ts';
import type { ClusterFixture } from './cluster-fixture.ts';

/** What is not an answer: see `runner` for what each means in a message. */
export const WORDS = ['NODATA', 'NXDOMAIN', 'SERVFAIL', 'REFUSED', 'NEXT'] as const;

export interface QueryCase {
  /** `name TYPE`. */
  readonly q: string;
  /** Exact answer section, in any order. */
  readonly a?: readonly string[];
  /** Exact additional section, in any order; empty if absent. */
  readonly extra?: readonly string[];
  readonly is?: (typeof WORDS)[number];
  /** Exact authority section; without it negatives are only checked for an SOA of the zone in the query's case. */
  readonly authority?: readonly string[];
  /** The sentence of the specification that says so. */
  readonly why?: string;
}

export interface CaseFile {
  readonly name: string;
  /** The directive as it stands in a Corefile. */
  readonly corefile: string;
  /** A file beside this one whose `cluster` to use. */
  readonly use?: string;
  readonly cluster?: ClusterFixture;
  /** Kinds that have been listed; all if absent. */
  readonly synced?: readonly KindName[];
  /** This machine's addresses. */
  readonly local?: readonly string[];
  /** What the server answers when asked itself: `name TYPE` to records, or to `nothing`. */
  readonly outside?: Readonly<Record<string, readonly string[] | 'nothing'>>;
  readonly queries: readonly QueryCase[];
}

const FILE_WORDS = ['name', 'corefile', 'use', 'cluster', 'synced', 'local', 'outside', 'queries'];
const QUERY_WORDS = ['q', 'a', 'extra', 'is', 'authority', 'why'];

export function readCaseFile(path: URL): CaseFile {
  const file: CaseFile = parse(readFileSync(path, 'utf8'));
  assertWords(path, file, FILE_WORDS);
  for (const query of file.queries) {
    assertWords(path, query, QUERY_WORDS);
    if ((query.a === undefined) === (query.is === undefined)) {
      throw new Error(`${path}: give either 'a' or 'is': ${query.q}`);
    }
    if (query.is !== undefined && !WORDS.includes(query.is))
      throw new Error(`${path}: no such word: ${query.is}`);
  }
  if (file.use === undefined) return file;
  const shared: { cluster: ClusterFixture } = parse(readFileSync(new URL(file.use, path), 'utf8'));
  return { ...file, cluster: shared.cluster };
}

function assertWords(path: URL, value: object, known: readonly string[]): void {
  const stranger = Object.keys(value).find((word) => !known.includes(word));
  if (stranger !== undefined) throw new Error(`${path}: unknown word '${stranger}'`);
}
