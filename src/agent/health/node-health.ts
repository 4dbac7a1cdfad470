/**
 * Whether the servers that packets are redirected to are well, as far as the kernel's programs cannot see for themselves:
 * caches that beat at a seat, and probes. Wires the two to the kernel's health rows. What it knows, and how, it tells.
 */
import { setImmediate as afterReading } from 'node:timers';
import type { Datapath, FrontendRow } from '../../datapath/datapath.ts';
import { errorText } from '../../fault/app-error.ts';
import type { OwnPackets } from '../../flow/flow-recorder.ts';
import { BeatMap } from '../../heartbeat/beat-map.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { NodeAnswers, type NodeAnswersOptions } from '../answers/node-answers.ts';
import { CacheDesk, type CacheDeskOptions } from './cache-desk.ts';
import type { HealthReport } from './health-report.ts';
import { HealthRows, type Place } from './health-rows.ts';
import { openProbeWire, type ProbeWire } from './probe-wire.ts';
import { Prober } from './prober.ts';
import { SeatTable } from './seat-table.ts';

export { DEFAULT_HEARTBEAT_SOCKET } from '../../heartbeat/messages.ts';

/** A cache looks for its agent once a second. */
const COME_BACK_MS = 5000;
/** The kernel's own deadline: packets go elsewhere from then on. */
const LATE_NS = 400e6;

export interface HealthOptions {
  /** Where caches find the agent; absent: none is listened for. */
  readonly heartbeatSocket?: string;
  /** Whether backends are asked. */
  readonly probe: boolean;
}

export interface NodeHealthOptions extends HealthOptions {
  readonly datapath: Datapath;
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'warning'>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Entries of each cache's part of the answer map. `off`: none is given, and those of an earlier agent go. Default: as `datapath`. */
  readonly kernelAnswers?: number | 'off';
  /** As of `NodeAnswersOptions`. */
  readonly answering?: NodeAnswersOptions['answering'];
}

export class NodeHealth {
  readonly #options: NodeHealthOptions;
  readonly #rows: HealthRows;
  /** Whose names the kernel answers. */
  readonly answers: NodeAnswers;
  readonly #desk: CacheDesk | undefined;
  readonly #prober: Prober | undefined;
  readonly #wire: ProbeWire;
  readonly #beats: BeatMap | undefined;
  readonly #awaiting: { cancel(): void };

  /** Throws `AppError` AGENT_SOCKET_TAKEN or AGENT_SOCKET_UNUSABLE. */
  constructor(options: NodeHealthOptions) {
    const { datapath, clock, log, random } = options;
    this.#options = options;
    this.#wire = openProbeWire(clock);
    this.#rows = new HealthRows(datapath, {
      caches: () => this.#desk?.caches ?? [],
      probed: (place) => this.#prober?.verdict(place),
    });
    const found = datapath.health();
    const seats = new SeatTable(datapath.beats.seats, () => this.#rows.inheritedSeats);
    if (options.probe) {
      this.#prober = new Prober({
        ...{ wire: this.#wire, clock, random, afterReading },
        rows: redirectsOf(datapath),
        isBeating: (place) => this.#isBeating(place),
        wasDown: (place) => found.some((row) => isAt(row, place) && row.down !== undefined),
        onChange: () => this.#rows.sync(this.#prober?.places ?? []),
      });
    }
    const path = options.heartbeatSocket;
    const caches = () => this.#desk?.caches ?? [];
    const { kernelAnswers: wanted, answering } = options;
    this.answers = new NodeAnswers({
      ...{ datapath, clock, log, caches, wanted },
      ...(answering && { answering }),
    });
    if (path !== undefined) {
      const onChange = () => {
        this.#rows.sync();
        this.answers.sync();
      };
      const grantShelf: CacheDeskOptions['grantShelf'] = (...wish) => this.answers.grant(...wish);
      this.#desk = new CacheDesk({
        ...{ path, beats: datapath.beats, seats, clock, log, onChange, grantShelf },
        isLate: (seat) => this.#agesOf(seat).some((age) => age > LATE_NS),
      });
    }
    this.#beats = mapBeats(datapath, log);
    this.#prober?.start();
    this.#rows.sync();
    this.answers.sync();
    this.#awaiting = clock.after(COME_BACK_MS, () => {
      this.#rows.stopAwaitingOwners();
      this.answers.stopAwaitingOwners();
    });
  }

  /** Which packets are its probes'. */
  get ownPackets(): OwnPackets {
    return this.#wire;
  }

  report(): HealthReport {
    const { datapath, heartbeatSocket, probe } = this.#options;
    return {
      ...(heartbeatSocket !== undefined && { heartbeatSocket }),
      probing: probe,
      backends: datapath.health(),
      caches: (this.#desk?.caches ?? []).map(({ seat, state, hello, sinceMs }) => ({
        ...{ seat, state, sinceMs },
        ...{ addresses: hello.addresses, ports: hello.ports, threads: hello.threads },
        beatAgesMs: this.#agesOf(seat).map((age) => age / 1e6),
      })),
      refusedCaches: this.#desk?.refused ?? 0,
      probes: this.#prober?.report() ?? [],
    };
  }

  /** What stands in the kernel stays: caches beat on, and the next agent finds them. */
  close(): void {
    this.#awaiting.cancel();
    this.answers.close();
    this.#prober?.close();
    this.#wire.close();
    this.#desk?.close();
    this.#beats?.close();
  }

  /** Nanoseconds since the last beat of each of its threads; none where beats cannot be seen. */
  #agesOf(seat: number): readonly number[] {
    return this.#beats?.row(seat).ages(process.hrtime.bigint()) ?? [];
  }

  #isBeating(place: Place): boolean {
    return (this.#desk?.caches ?? []).some(
      ({ state, hello }) =>
        state === 'beating' && hello.addresses.includes(place.address) && hello.ports.includes(place.port),
    );
  }
}

/** Those that are wanted, and those of an earlier agent that packets still go by; a new array when either changes. */
function redirectsOf(datapath: Datapath): () => readonly FrontendRow[] {
  let parts: readonly (readonly FrontendRow[])[] = [];
  let joined: readonly FrontendRow[] = [];
  return () => {
    const now = [datapath.frontends(), datapath.inherited()];
    if (now.some((part, i) => part !== parts[i])) joined = now.flat();
    parts = now;
    return joined;
  };
}

/** To tell of; without it nothing but the telling is lost. */
function mapBeats({ beats }: Datapath, log: Pick<Log, 'warning'>): BeatMap | undefined {
  if (beats.fd < 0) return undefined;
  try {
    return new BeatMap(beats.fd, beats);
  } catch (error) {
    log.warning(`Cannot look at heartbeats: ${errorText(error)}`);
    return undefined;
  }
}

function isAt(a: Place, b: Place): boolean {
  return a.address === b.address && a.port === b.port;
}
