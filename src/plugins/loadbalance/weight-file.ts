/**
 * The weights that are in force: read at the start, and again in every period. A file that has gone wrong or missing
 * leaves in force what was read before, with a line in the log.
 */
import { readFile } from 'node:fs/promises';
import { errorText } from '../../fault/app-error.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { formatDuration } from '../directive.ts';
import { parseWeights, type Weights } from './weights.ts';

export interface WeightFileOptions {
  readonly path: string;
  /** Milliseconds; 0 means never again. */
  readonly reloadMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

export class WeightFile {
  readonly #options: WeightFileOptions;
  #weights: Weights = new Map();
  #text: string | undefined;
  #timer: Timer | undefined;
  #closed = false;
  /** The last fault that was told: a file that stays wrong is told once. */
  #complaint = '';

  constructor(options: WeightFileOptions) {
    this.#options = options;
  }

  get weights(): Weights {
    return this.#weights;
  }

  /** Gives back what is wrong. A missing file is only told in the log where it may still come. */
  async start(): Promise<string | undefined> {
    const { path, reloadMs, log } = this.#options;
    const fault = await this.#load();
    if (fault !== undefined && !(fault.missing && reloadMs > 0)) return fault.reason;
    if (fault !== undefined) {
      log.warning(`Failed to open weight file:${path}. Will try again in ${formatDuration(reloadMs)}`);
    }
    this.#schedule();
    return undefined;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #schedule(): void {
    const { reloadMs, clock } = this.#options;
    if (reloadMs === 0 || this.#closed) return;
    this.#timer = clock.after(reloadMs, () => void this.#reload());
  }

  async #reload(): Promise<void> {
    const fault = await this.#load();
    if (fault !== undefined && fault.reason !== this.#complaint) this.#options.log.error(fault.reason);
    this.#complaint = fault?.reason ?? '';
    this.#schedule();
  }

  async #load(): Promise<{ reason: string; missing: boolean } | undefined> {
    const { path, log } = this.#options;
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      return { reason: `weight file open error: ${errorText(error)}`, missing: true };
    }
    if (text === this.#text) return undefined;
    const parsed = parseWeights(text, path);
    if (!parsed.ok) return { reason: parsed.reason ?? parsed.code, missing: false };
    this.#text = text;
    this.#weights = parsed.value;
    log.info(`Successfully reloaded weight file ${path}`);
    return undefined;
  }
}
