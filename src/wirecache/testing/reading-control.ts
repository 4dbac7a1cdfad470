/** What a test and its `reading-worker.ts` tell each other. Apart from it, because that one begins to work when it is imported. */
import { MAX_SEATS } from '../layout.ts';

/** Words of the memory that all readers share with the writer. */
export const CONTROL = {
  /** Not 0 when it is enough. */
  STOP: 0,
  /** By seat: not 0 once this reader has found something. */
  HAS_HIT: 1,
} as const;
export const CONTROL_WORDS = CONTROL.HAS_HIT + MAX_SEATS;

export interface ReadingOrder {
  readonly shared: SharedArrayBuffer;
  readonly seat: number;
  readonly packets: readonly Uint8Array[];
  readonly control: SharedArrayBuffer;
}

export interface ReadingResult {
  readonly hits: number;
  readonly misses: number;
  readonly wrong: number;
}
