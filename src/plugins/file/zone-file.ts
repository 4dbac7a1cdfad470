/**
 * A zone file that is looked at again and again, and the zones made of it. A new zone takes the old one's place whole,
 * when its serial differs, or with `byMtime` when the file is another; a file that is broken or gone changes nothing and
 * is complained of once. Deliberately absent: any watch of the file system, which mounted ConfigMaps defeat.
 */
import { stat } from 'node:fs/promises';
import type { Name } from '../../dns/name.ts';
import { AppError, errorText } from '../../fault/app-error.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { formatDuration, quote } from '../directive.ts';
import type { FileErrorCode } from './errors.ts';
import { readText, readZone, seenOf, type ZoneText } from './read-zone.ts';
import type { Zone } from './zone.ts';

export interface ZoneFileOptions {
  readonly path: string;
  /** Lower case; several are read from the same text, each with its own origin. */
  readonly origins: readonly Name[];
  /** 0: never again. */
  readonly reloadMs: number;
  readonly byMtime: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly onChanged: (origin: Name) => void;
}

export class ZoneFile {
  readonly #options: ZoneFileOptions;
  readonly #zones = new Map<Name, Zone>();
  /** Every file that the last reading looked at, and how it was. */
  #seen: ReadonlyMap<string, string> = new Map();
  #timer: Timer | undefined;
  #closed = false;
  #complaint = '';

  constructor(options: ZoneFileOptions) {
    this.#options = options;
  }

  get origins(): readonly Name[] {
    return this.#options.origins;
  }

  /** Undefined while there has been no file that could be read. */
  zone(origin: Name): Zone | undefined {
    return this.#zones.get(origin);
  }

  /** Rejects with FILE_BROKEN, or FILE_UNREADABLE when nobody would look again. */
  async open(): Promise<void> {
    const { path, reloadMs, log } = this.#options;
    try {
      await this.#readAll(await readText(path), (origin, reason) => {
        throw new AppError(
          'FILE_BROKEN' satisfies FileErrorCode,
          `Cannot read zone ${quote(origin)}: ${reason}`,
        );
      });
    } catch (error) {
      if (error instanceof AppError) throw error;
      const reason = errorText(error);
      if (reloadMs === 0) {
        throw new AppError('FILE_UNREADABLE' satisfies FileErrorCode, `Cannot open zone file: ${reason}`);
      }
      log.warning(`Failed to open ${quote(path)}: ${reason}: trying again in ${formatDuration(reloadMs)}`);
      this.#complaint = reason;
    }
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
    this.#timer = clock.after(reloadMs, () => void this.#look().then(() => this.#again()));
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    try {
      if (await this.#isAsSeen()) return;
      const text = await readText(this.#options.path);
      this.#complaint = '';
      await this.#readAll(text, (origin, reason) => {
        this.#options.log.error(`Parsing zone ${quote(origin)}: ${reason}`);
      });
    } catch (error) {
      this.#complain(errorText(error));
    }
  }

  async #isAsSeen(): Promise<boolean> {
    if (this.#seen.size === 0) return false;
    for (const [file, seen] of this.#seen) {
      const now = await stat(file).then(seenOf, () => '');
      if (now !== seen) return false;
    }
    // A file that came back as it was may be complained of when it goes again.
    this.#complaint = '';
    return true;
  }

  async #readAll(text: ZoneText, onBroken: (origin: Name, reason: string) => void): Promise<void> {
    const { origins, byMtime } = this.#options;
    const seen = new Map([[text.file, text.seen]]);
    this.#seen = seen;
    for (const origin of origins) {
      const known = this.#zones.get(origin);
      const reading = await readZone(text, {
        origin,
        knownSerial: byMtime ? undefined : known?.soaData.serial,
        onIncluded: (file, state) => void seen.set(file, state),
      });
      if (this.#closed) return;
      if (!reading.ok) onBroken(origin, reading.reason ?? reading.code);
      else if (reading.value !== 'same') this.#replace(reading.value.zone, reading.value.oddities, known);
    }
  }

  #replace(zone: Zone, oddities: readonly string[], known: Zone | undefined): void {
    const { path, log, onChanged } = this.#options;
    this.#zones.set(zone.origin, zone);
    if (oddities.length > 0)
      log.warning(`Zone ${quote(zone.origin)} in ${quote(path)}: ${oddities.join('; ')}`);
    if (known !== undefined || this.#timer !== undefined) {
      const { serial } = zone.soaData;
      log.info(
        `Successfully reloaded zone ${quote(zone.origin)} in ${quote(path)} with ${serial} SOA serial`,
      );
    }
    onChanged(zone.origin);
  }

  /** Once for each kind of trouble, not every minute. */
  #complain(reason: string): void {
    if (reason === this.#complaint) return;
    this.#complaint = reason;
    const { origins, path, log } = this.#options;
    for (const origin of origins)
      log.error(`Failed to open zone ${quote(origin)} in ${quote(path)}: ${reason}`);
  }
}
