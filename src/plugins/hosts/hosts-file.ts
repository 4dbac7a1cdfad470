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
    const table = new HostTable(this.#options);
    let lines = 0;
    let ignored = 0;
    let firstIgnored = 0;
    for await (const line of linesOf(path)) {
      lines++;
      const parsed = parseHostsLine(line);
      if (parsed === false) {
        ignored++;
        firstIgnored ||= lines;
      } else if (parsed !== undefined && !table.add(parsed)) {
        log.warning(
          `Hosts file ${path} has more than ${MAX_ENTRIES} entries: the rest, from line ${lines}, is ignored`,
        );
        break;
      }
    }
    if (ignored > 0) {
      log.warning(
        `Ignored ${ignored} lines of ${path} that are not an address and names, the first is line ${firstIgnored}`,
      );
    }
    return table;
  }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(path, { encoding: 'utf8' })) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_CHARACTERS) rest = '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
