/**
 * Asks the backends of this node's redirects whether they answer, over and over: caches of others do not beat, and a
 * beat does not show everything. Only what is known to serve DNS is asked. A verdict comes 300 ms after a question that
 * nothing answered; time in which the agent itself did not run does not count, and what has arrived is read before.
 */
import type { FrontendRow } from '../../datapath/datapath.ts';
import { type Clock, type Timer, untilTick } from '../../telemetry/clock.ts';
import type { Place } from './health-rows.ts';
import { HASTY, PATIENT, type Pace, TcpState, UdpState } from './probe-state.ts';
import type { ProbeWire } from './probe-wire.ts';

const LOOK_MS = 50;
/** What passes between two looks counts as at most this: two looks. */
const MOST_STEP_MS = 100;
/** Backends of one node's redirects: a few. Those beyond are judged by their socket alone. */
const MAX_TARGETS = 256;
const MAX_PENDING = 64;
const DNS_PORT = 53;

/** A place to ask, and how. */
export interface Target extends Place {
  readonly udp: boolean;
  readonly tcp: boolean;
}

export interface ProberOptions {
  readonly wire: ProbeWire;
  readonly clock: Clock;
  /** Runs it once what has arrived on sockets has been read. */
  readonly afterReading: (run: () => void) => void;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** What is to be asked now; a new array when that has changed. */
  readonly rows: () => readonly FrontendRow[];
  /** Whether a cache with a seat serves there. */
  readonly isBeating: (place: Place) => boolean;
  /** Whether an agent before this one found it down. */
  readonly wasDown: (place: Place) => boolean;
  /** A verdict or the targets have changed. */
  readonly onChange: () => void;
}

interface Probed {
  readonly target: Target;
  readonly udp: UdpState;
  readonly tcp: TcpState;
  readonly pending: Map<number, number>;
  connection?: { cancel(): void };
  verdict: string;
}

/** For people: what was asked and heard. */
export interface ProbeRow extends Place {
  readonly udp?: { readonly sent: number; readonly answered: number };
  readonly tcp?: string;
  readonly down?: string;
}

export class Prober {
  readonly #options: ProberOptions;
  readonly #probed = new Map<string, Probed>();
  #rows: readonly FrontendRow[] | undefined;
  #aliveMs = 0;
  #lookedMs: number;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#lookedMs = options.clock.monotonicMs();
    options.wire.onAnswer((from, id) => this.#heard(placeKey(from), id));
  }

  start(): void {
    this.#look();
  }

  get places(): readonly Place[] {
    return [...this.#probed.values()].map(({ target }) => target);
  }

  /** See `HealthSources.probed`. */
  verdict(place: Place): { readonly down: string } | 'answers' | undefined {
    const probed = this.#probed.get(placeKey(place));
    if (probed === undefined) return undefined;
    const down = downOf(probed);
    if (down !== undefined) return { down };
    return probed.udp.answers || !probed.target.udp ? 'answers' : undefined;
  }

  report(): readonly ProbeRow[] {
    return [...this.#probed.values()].map((probed) => {
      const { target, udp, tcp } = probed;
      const down = downOf(probed);
      return {
        ...{ address: target.address, port: target.port },
        ...(target.udp && { udp: { sent: udp.sent, answered: udp.answered } }),
        ...(target.tcp && tcp.last !== undefined && { tcp: tcp.last }),
        ...(down !== undefined && { down }),
      };
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const { connection } of this.#probed.values()) connection?.cancel();
    this.#options.wire.close();
  }

  #look(): void {
    const { clock, afterReading } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#aliveMs += Math.min(nowMs - this.#lookedMs, MOST_STEP_MS);
    this.#lookedMs = nowMs;
    this.#follow();
    for (const probed of this.#probed.values()) this.#ask(probed);
    afterReading(() => this.#judge());
    this.#timer = clock.after(untilTick(clock, LOOK_MS), () => this.#look());
  }

  /** What is redirected has changed. */
  #follow(): void {
    const rows = this.#options.rows();
    if (rows === this.#rows) return;
    this.#rows = rows;
    const targets = new Map(targetsOf(rows).map((target) => [placeKey(target), target]));
    for (const [key, { target, connection }] of this.#probed) {
      const wanted = targets.get(key);
      if (wanted?.udp === target.udp && wanted.tcp === target.tcp) continue;
      connection?.cancel();
      this.#probed.delete(key);
    }
    for (const [key, target] of targets) {
      if (this.#probed.has(key) || this.#probed.size >= MAX_TARGETS) continue;
      const udp = new UdpState(target.udp && this.#options.wasDown(target));
      this.#probed.set(key, { target, udp, tcp: new TcpState(), pending: new Map(), verdict: '' });
    }
    this.#options.onChange();
  }

  #ask(probed: Probed): void {
    const { target, udp, tcp, pending } = probed;
    const { wire, random } = this.#options;
    if (target.udp && udp.isDue(this.#aliveMs, this.#paceOf(target))) {
      const id = Math.floor(random() * 0x1_0000);
      pending.set(id, this.#aliveMs);
      for (const old of pending.keys()) if (pending.size > MAX_PENDING) pending.delete(old);
      udp.asked(this.#aliveMs);
      wire.ask(target, id);
    }
    if (tcp.isOverdue(this.#aliveMs)) {
      probed.connection?.cancel();
      tcp.heard('no answer');
    }
    if (target.tcp && tcp.isDue(this.#aliveMs)) {
      tcp.asked(this.#aliveMs);
      probed.connection = wire.connect(target, (how) => tcp.heard(how));
    }
  }

  #heard(key: string, id: number): void {
    const probed = this.#probed.get(key);
    if (probed?.pending.delete(id) !== true) return;
    probed.udp.heard(this.#aliveMs);
    this.#tellOf(probed);
  }

  #judge(): void {
    if (this.#isClosed) return;
    for (const probed of this.#probed.values()) {
      probed.udp.judge(this.#aliveMs, this.#paceOf(probed.target));
      this.#tellOf(probed);
    }
  }

  #tellOf(probed: Probed): void {
    const verdict = JSON.stringify(this.verdict(probed.target) ?? '');
    if (verdict === probed.verdict) return;
    probed.verdict = verdict;
    this.#options.onChange();
  }

  #paceOf(target: Target): Pace {
    return this.#options.isBeating(target) ? PATIENT : HASTY;
  }
}

function downOf({ target, udp, tcp }: Probed): string | undefined {
  if (target.udp && udp.isDown) return 'no answer to a query over UDP';
  return target.tcp && tcp.isDown ? 'no answer over TCP' : undefined;
}

/** Backends of frontends that are DNS by their port or its name; nothing else is ever sent a query. */
export function targetsOf(rows: readonly FrontendRow[]): readonly Target[] {
  const targets = new Map<string, Target>();
  for (const { frontend } of rows) {
    for (const { address, port } of frontend.backends) {
      const isDns = frontend.port === DNS_PORT || port === DNS_PORT || /^dns\b/.test(frontend.portName ?? '');
      if (frontend.type !== 'LocalRedirect' || !isDns) continue;
      const key = placeKey({ address, port });
      const known = targets.get(key);
      targets.set(key, {
        ...{ address, port },
        udp: known?.udp === true || frontend.protocol === 'UDP',
        tcp: known?.tcp === true || frontend.protocol === 'TCP',
      });
    }
  }
  return [...targets.values()];
}

function placeKey({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address} ${port}`;
}
