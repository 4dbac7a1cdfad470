/**
 * A hosts(5) file that is looked at again and again: read anew when its time or size has changed. Read in pieces, so that
 * queries are answered while a list of a million names loads. A file that has gone or cannot be read leaves in force what
 * was last read. Deliberately absent: any watch of the file system, which mounted ConfigMaps defeat.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { errorText } from '../../fault/app-error.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { HostTable, type HostTableOptions, MAX_ENTRIES, parseHostsLine } from './host-table.ts';

/** No line of names is longer; what is would only be held in memory until its end comes. */
const MAX_LINE_CHARACTERS = 65_536;

export interface HostsFileOptions extends HostTableOptions {
  readonly path: string;
  /** 0: never again. */
  readonly reloadMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** A new table is in force; none is before the first. `mtimeMs` is the file's. */
  readonly onLoaded: (table: HostTable, before: HostTable | undefined, mtimeMs: number) => void;
}

export class HostsFile {
  readonly #options: HostsFileOptions;
  #table: HostTable;
  #seen: { mtimeMs: number; size: number } | undefined;
  #timer: Timer | undefined;
  #opened = false;
  #closed = false;
  #complaint = '';

  constructor(options: HostsFileOptions) {
    this.#options = options;
    this.#table = new HostTable(options);
  }

  get table(): HostTable {
    return this.#table;
  }

  /** Ends when the file has been read, or found missing. Never rejects. */
  async open(): Promise<void> {
    await this.#look();
    this.#opened = true;
    this.#again();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #again(): void {
    const { clock, reloadMs } = this.#options;
    if (this.#closed || reloadMs === 0) return;
    // Counted from the end of the reading: two readings never overlap.
    this.#timer = clock.after(reloadMs, () => {
      this.#look().then(
        () => this.#again(),
        () => this.#again(),
      );
    });
  }

  async #look(): Promise<void> {
    const { path, onLoaded } = this.#options;
    try {
      const { mtimeMs, size } = await stat(path);
      if (this.#seen?.mtimeMs === mtimeMs && this.#seen.size === size) {
        this.#complaint = '';
        return;
      }
      const table = await this.#read();
      if (this.#closed) return;
      const before = this.#opened ? this.#table : undefined;
      this.#table = table;
      this.#seen = { mtimeMs, size };
      this.#complaint = '';
      onLoaded(table, before, mtimeMs);
    } catch (error) {
      this.#complain(error);
    }
  }

  /** Once for each kind of trouble, not every few seconds. */
  #complain(error: unknown): void {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const { path, log } = this.#options;
    const text = isMissing
      ? `File does not exist: ${path}`
      : `Cannot read hosts file ${path}: ${errorText(error)}`;
    if (text !== this.#complaint) log.warning(text);
    this.#complaint = text;
  }

  async #read(): Promise<HostTable> {
    const { path, log } = this.#options;
    const reading = { table: new HostTable(this.#options), lines: 0, ignored: 0, firstIgnored: 0 };
    let rest = '';
    // A pause for queries after each piece; within one, a line costs no more than its text.
    for await (const chunk of createReadStream(path, { encoding: 'utf8' })) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE_CHARACTERS) rest = '';
      if (!takeLines(reading, lines)) break;
    }
    takeLines(reading, [rest]);
    const { table, ignored, firstIgnored } = reading;
    if (table.isFull) {
      log.warning(
        `Hosts file ${path} has more than ${MAX_ENTRIES} entries: those from line ${reading.lines} on are ignored`,
      );
    }
    if (ignored > 0) {
      log.warning(
        `Ignored ${ignored} lines of ${path} that are not an address and names, the first is line ${firstIgnored}`,
      );
    }
    return table;
  }
}

interface Reading {
  readonly table: HostTable;
  lines: number;
  ignored: number;
  /** From 1. */
  firstIgnored: number;
}

/** False when the table is full. */
function takeLines(reading: Reading, lines: readonly string[]): boolean {
  for (const line of lines) {
    if (reading.table.isFull) return false;
    reading.lines++;
    const parsed = parseHostsLine(line);
    if (parsed === false) {
      reading.ignored++;
      reading.firstIgnored ||= reading.lines;
    } else if (parsed !== undefined) reading.table.add(parsed);
  }
  return true;
}
