/**
 * The pages that are open: each has chosen a pod and a filter by the address of its stream, and is told once a second what
 * is new. A reader that is too slow misses snapshots, never makes them wait for it.
 */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../telemetry/clock.ts';
import { EventStream } from './event-stream.ts';
import { parseRowFilter, type RowFilter } from './row-filter.ts';
import { WINDOW_SECONDS } from './traffic/scope.ts';
import type { Traffic } from './traffic/traffic.ts';
import type { WireRows, WireSnapshot, WireSourceState } from './wire.ts';

/** Each costs a snapshot a second. */
const MAX_READERS = 16;
const FIRST_ROWS = 250;
/** Nobody reads more than this in a second; the rest is counted. */
const ROWS_A_SECOND = 100;
const MAX_POD_TEXT = 300;

interface Reader {
  readonly stream: EventStream;
  readonly filter: RowFilter;
  readonly pod: string | undefined;
  lastId: number;
  /** False until a snapshot with all points got through, and again after one did not. */
  hasPoints: boolean;
  isFresh: boolean;
}

export interface PageReadersSpec {
  readonly traffic: Traffic;
  readonly state: () => WireSourceState;
  readonly clock: Clock;
}

export class PageReaders {
  readonly #readers = new Set<Reader>();
  readonly #spec: PageReadersSpec;

  constructor(spec: PageReadersSpec) {
    this.#spec = spec;
  }

  /** False: there are too many. The response is then untouched. */
  add(response: ServerResponse, query: URLSearchParams, headers: Readonly<Record<string, string>>): boolean {
    if (this.#readers.size >= MAX_READERS) return false;
    const pod = query.get('show')?.slice(0, MAX_POD_TEXT);
    const reader: Reader = {
      stream: new EventStream(response, headers),
      filter: parseRowFilter(query),
      pod: pod === '' ? undefined : pod,
      lastId: 0,
      hasPoints: false,
      isFresh: true,
    };
    this.#readers.add(reader);
    reader.stream.onClose(() => this.#readers.delete(reader));
    this.#tell(reader);
    return true;
  }

  tell(): void {
    for (const reader of this.#readers) this.#tell(reader);
  }

  close(): void {
    for (const { stream } of this.#readers) stream.close();
  }

  #tell(reader: Reader): void {
    const { stream } = reader;
    reader.hasPoints = stream.send('snapshot', this.#snapshot(reader));
    const rows = this.#rows(reader);
    if (rows.rows.length === 0 && rows.skipped === 0 && !rows.fresh) return;
    if (!stream.send('rows', rows)) return;
    reader.lastId = this.#spec.traffic.lastId;
    reader.isFresh = false;
  }

  #rows({ filter, lastId, isFresh }: Reader): WireRows {
    const found = this.#spec.traffic.after(lastId, filter, isFresh ? FIRST_ROWS : ROWS_A_SECOND);
    return { rows: found.rows, skipped: isFresh ? 0 : found.skipped, fresh: isFresh };
  }

  #snapshot({ pod, hasPoints, stream }: Reader): WireSnapshot {
    const { traffic, state, clock } = this.#spec;
    const points = traffic.points(pod);
    return {
      atMs: clock.nowMs(),
      windowSeconds: WINDOW_SECONDS,
      ...(pod === undefined ? {} : { pod }),
      source: state(),
      way: traffic.way(pod),
      pods: traffic.pods(),
      names: traffic.names(),
      points: hasPoints ? points.slice(-1) : points,
      allPoints: !hasPoints,
      dropped: stream.dropped,
    };
  }
}
