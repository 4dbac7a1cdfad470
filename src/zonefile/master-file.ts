/**
 * Master files (RFC 1035 section 5) to records, one at a time, so that a caller may pause between any two. Text comes
 * from operators: what is wrong is a value with file and line, and nothing is read behind it. Linear in the text, and in
 * what `$GENERATE` makes of it; held in memory are the text and one record. Deliberately absent: any look at the disk,
 * which the caller's reader has, and what a zone must consist of.
 */
import { CLASS } from '../dns/codes.ts';
import type { ResourceRecord } from '../dns/message.ts';
import type { Name } from '../dns/name.ts';
import { readSoa } from '../dns/rdata/soa.ts';
import type { Failure, Result } from '../fault/result.ts';
import type { ZonefileErrorCode } from './errors.ts';
import { zoneName } from './escapes.ts';
import { expandGenerate } from './generate.ts';
import { parseRecordEntry } from './record-text.ts';
import { readEntry, type ZoneEntry, type ZoneToken } from './tokens.ts';
import { parseTtl } from './ttl.ts';

/** A file that includes itself ends here, not in an endless zone. */
export const MAX_INCLUDE_DEPTH = 7;
/** In all: a file that includes itself ten times would otherwise be read ten million times before the depth ends it. */
export const MAX_INCLUDES = 1000;

export interface MasterText {
  /** How errors call it, and what paths inside it are relative to. */
  readonly file: string;
  readonly text: string;
}

export interface MasterFileOptions {
  /** What relative names end in until `$ORIGIN` says otherwise. */
  readonly origin: Name;
  /** The file that `$INCLUDE path` in the file `from` means, or why it cannot be had. Without it `$INCLUDE` is refused. */
  readonly readInclude?: (path: string, from: string) => Result<MasterText>;
}

export interface MasterFailure {
  readonly code: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly reason: string;
}

/** What one entry hands to the next. */
interface State {
  readonly source: MasterText;
  readonly options: MasterFileOptions;
  readonly depth: number;
  /** Of the whole reading. */
  readonly included: { count: number };
  origin: Name;
  owner: Name | undefined;
  recordClass: number;
  /** Of `$TTL` (RFC 2308 section 4). */
  defaultTtl: number | undefined;
  /** Of the last record that said one: in force where there is no `$TTL` (RFC 1035 section 5.1). */
  lastTtl: number | undefined;
}

export type MasterRecords = Generator<ResourceRecord, MasterFailure | undefined>;

/** Yields the records in file order and returns what ended the reading too early, if anything did. */
export function readMasterFile(source: MasterText, options: MasterFileOptions): MasterRecords {
  return readSource({
    source,
    options,
    depth: 0,
    included: { count: 0 },
    origin: options.origin,
    owner: undefined,
    recordClass: CLASS.IN,
    defaultTtl: undefined,
    lastTtl: undefined,
  });
}

/** `db.example:7: an address is expected: received 'x'`, with the code's meaning where there is no reason. */
export function formatMasterFailure({ file, line, reason }: MasterFailure): string {
  return `${file}:${line}: ${reason}`;
}

function* readSource(state: State): MasterRecords {
  const { text } = state.source;
  for (let start = 0; start < text.length; ) {
    const entry = readEntry(text, start);
    if (!entry.ok) return at(state, entry);
    const failure = yield* readOne(state, entry);
    if (failure !== undefined) return failure;
    start = entry.end;
  }
  return undefined;
}

function* readOne(state: State, entry: ZoneEntry): MasterRecords {
  const [first] = entry.tokens;
  if (first === undefined) return undefined;
  if (!entry.indented && !first.quoted && first.text.startsWith('$'))
    return yield* readDirective(state, entry, first);
  const parsed = parseWithState(state, entry);
  if (!parsed.ok) return at(state, parsed);
  yield parsed.value;
  return undefined;
}

function parseWithState(state: State, entry: ZoneEntry): Result<ResourceRecord> {
  const defaultTtlSeconds = state.defaultTtl ?? state.lastTtl;
  const options = {
    origin: state.origin,
    defaultClass: state.recordClass,
    // Only a SOA can do without: what it says of negative answers holds for all (as BIND has it).
    defaultTtlSeconds: defaultTtlSeconds ?? 0,
    ...(state.owner !== undefined && { defaultOwner: state.owner }),
  };
  const parsed = parseRecordEntry(entry, options);
  if (!parsed.ok) return parsed;
  const { record, ttlStated } = parsed.value;
  state.owner = record.name;
  state.recordClass = record.class;
  if (ttlStated) state.lastTtl = record.ttlSeconds;
  if (ttlStated || defaultTtlSeconds !== undefined) return { ok: true, value: record };
  const ttlSeconds = readSoa(record)?.minimumSeconds;
  if (ttlSeconds === undefined) {
    return wrong('ZONE_TTL', entry.tokens[0], 'the record has no TTL and nothing before it gives one');
  }
  state.lastTtl = ttlSeconds;
  return { ok: true, value: { ...record, ttlSeconds } };
}

function* readDirective(state: State, entry: ZoneEntry, word: ZoneToken): MasterRecords {
  switch (word.text.toUpperCase()) {
    case '$ORIGIN':
      return setOrigin(state, entry);
    case '$TTL':
      return setTtl(state, entry);
    case '$INCLUDE':
      return yield* include(state, entry);
    case '$GENERATE':
      return yield* generate(state, entry);
    default:
      return at(
        state,
        wrong('ZONE_DIRECTIVE', word, `there is no such directive: received '${word.text.slice(0, 64)}'`),
      );
  }
}

function setOrigin(state: State, { tokens }: ZoneEntry): MasterFailure | undefined {
  const [word, name] = tokens;
  const origin = name === undefined || tokens.length > 2 ? undefined : zoneName(name.text, state.origin);
  if (origin === undefined) return at(state, wrong('ZONE_NAME', name ?? word, '$ORIGIN takes one name'));
  state.origin = origin;
  return undefined;
}

function setTtl(state: State, { tokens }: ZoneEntry): MasterFailure | undefined {
  const [word, ttl] = tokens;
  const seconds = ttl === undefined || tokens.length > 2 ? undefined : parseTtl(ttl.text);
  if (seconds === undefined) return at(state, wrong('ZONE_TTL', ttl ?? word, '$TTL takes one TTL'));
  state.defaultTtl = seconds;
  return undefined;
}

/** Origin and owner of the including file are as before when the other one ends (RFC 1035 section 5.1). */
function* include(state: State, { tokens }: ZoneEntry): MasterRecords {
  const [word, path, name] = tokens;
  const origin = name === undefined ? state.origin : zoneName(name.text, state.origin);
  if (path === undefined || tokens.length > 3 || origin === undefined) {
    return at(state, wrong('ZONE_INCLUDE', word, '$INCLUDE takes a file and perhaps an origin'));
  }
  if (state.depth >= MAX_INCLUDE_DEPTH) {
    const reason = `files include each other more than ${MAX_INCLUDE_DEPTH} deep`;
    return at(state, wrong('ZONE_INCLUDE', path, reason));
  }
  if (++state.included.count > MAX_INCLUDES) {
    return at(state, wrong('ZONE_INCLUDE', path, `more than ${MAX_INCLUDES} files are included`));
  }
  const found = state.options.readInclude?.(path.text, state.source.file);
  if (found === undefined) return at(state, wrong('ZONE_INCLUDE', word, '$INCLUDE is not allowed here'));
  if (!found.ok) return at(state, wrong('ZONE_INCLUDE', path, found.reason ?? found.code));
  const inner: State = { ...state, source: found.value, origin, depth: state.depth + 1 };
  const failure = yield* readSource(inner);
  state.lastTtl = inner.lastTtl;
  return failure;
}

function* generate(state: State, { tokens, end }: ZoneEntry): MasterRecords {
  const [word, range, owner] = tokens;
  if (word === undefined || range === undefined || owner === undefined) {
    return at(state, wrong('ZONE_GENERATE', word, '$GENERATE takes a range and a record'));
  }
  const template = state.source.text.slice(range.offset + range.text.length, end).trimStart();
  for (const made of expandGenerate(range.text, template)) {
    if (!made.ok) return at(state, wrong('ZONE_GENERATE', range, made.reason ?? made.code));
    const entry = readEntry(made.value);
    const parsed = entry.ok ? parseWithState(state, entry) : entry;
    // Offsets inside the made text mean nothing to the operator: the directive's own line does.
    if (!parsed.ok) return at(state, { ...parsed, offset: word.offset });
    yield parsed.value;
  }
  return undefined;
}

function wrong(code: ZonefileErrorCode, token: ZoneToken | undefined, reason: string) {
  return { ok: false, code, offset: token?.offset ?? 0, reason } as const;
}

function at(state: State, { code, offset = 0, reason }: Failure): MasterFailure {
  const { file, text } = state.source;
  let line = 1;
  for (let i = text.indexOf('\n'); i >= 0 && i < offset; i = text.indexOf('\n', i + 1)) line++;
  return { code, file, line, reason: reason ?? code };
}
