/**
 * One zone out of a file and what it includes. Records are taken in portions, with time for queries between them: a zone
 * of a million records takes seconds. What is wrong with the file is a value.
 */
import { readFileSync, type Stats, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Name } from '../../dns/name.ts';
import { errorText } from '../../fault/app-error.ts';
import { fail, ok, type Result } from '../../fault/result.ts';
import { formatMasterFailure, type MasterText, readMasterFile } from '../../zonefile/master-file.ts';
import { quote } from '../directive.ts';
import type { FileErrorCode } from './errors.ts';
import { type Zone, ZoneBuilder } from './zone.ts';

/** Some milliseconds of work. */
const PORTION = 500;
const MAX_ATTEMPTS = 3;

/** A file's text as it was at one moment, and what tells whether it has changed since. */
export interface ZoneText extends MasterText {
  readonly seen: string;
}

export interface ZoneReading {
  readonly zone: Zone;
  readonly oddities: readonly string[];
}

export interface ReadOptions {
  /** Lower case. */
  readonly origin: Name;
  /** A file with this serial is not read to its end: the zone is the one that is known. */
  readonly knownSerial?: number | undefined;
  /** Told of each file that is included. */
  readonly onIncluded?: (file: string, seen: string) => void;
}

/** Rejects with the system's error. A file that is being written is read again, since half a zone looks like a zone. */
export async function readText(path: string): Promise<ZoneText> {
  let before = await stat(path);
  refuseOthers(before, path);
  for (let attempt = 1; ; attempt++) {
    const text = await readFile(path, 'utf8');
    const after = await stat(path);
    if (seenOf(after) === seenOf(before) || attempt === MAX_ATTEMPTS) {
      return { file: path, text: withoutMark(text), seen: seenOf(before) };
    }
    before = after;
  }
}

/** A pipe may be silent for ever, and a device may never end. */
function refuseOthers(stats: Stats, path: string): void {
  if (!stats.isFile()) throw new Error(`${path} is not a regular file`);
}

export function seenOf({ mtimeMs, size, ino }: Stats): string {
  return `${mtimeMs} ${size} ${ino}`;
}

/** `same` when the serial is the known one. Fails with FILE_BROKEN. */
export async function readZone(
  source: ZoneText,
  options: ReadOptions,
): Promise<Result<ZoneReading | 'same'>> {
  const builder = new ZoneBuilder(options.origin);
  const readInclude = includeReader(options);
  const records = readMasterFile(source, { origin: options.origin, readInclude });
  let taken = 0;
  let next = records.next();
  for (; !next.done; next = records.next()) {
    const refusal = builder.add(next.value);
    if (refusal !== undefined) return broken(`${source.file}: ${refusal}`);
    if (options.knownSerial !== undefined && builder.serial === options.knownSerial) return ok('same');
    if (++taken % PORTION === 0) await nextTurn();
  }
  if (next.value !== undefined) return broken(formatMasterFailure(next.value));
  const zone = builder.build();
  if (zone === undefined)
    return broken(`file ${quote(source.file)} has no SOA record for origin ${options.origin}`);
  return ok({ zone, oddities: builder.oddities });
}

/** Included files are small as a rule, and are read where they stand. */
function includeReader({ onIncluded }: ReadOptions) {
  return (path: string, from: string): Result<MasterText> => {
    const file = resolve(dirname(from), path);
    try {
      const stats = statSync(file);
      refuseOthers(stats, file);
      onIncluded?.(file, seenOf(stats));
      return ok({ file, text: withoutMark(readFileSync(file, 'utf8')) });
    } catch (error) {
      onIncluded?.(file, '');
      return broken(errorText(error));
    }
  };
}

/** Some editors put a byte order mark in front. */
function withoutMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

function broken(reason: string) {
  return fail('FILE_BROKEN' satisfies FileErrorCode, 0, reason);
}
