/** Asks the doctor for all pages together: one run at a time, and none sooner than a while after the last. */
import { errorText } from '../fault/app-error.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { UiReport, UiSource } from './ui-source.ts';
import type { WireDoctor } from './wire.ts';

/** A run sends probes into pods; a page that is loaded again and again must not become a stream of them. */
const REST_MS = 5000;

export class DoctorDesk {
  readonly #source: UiSource;
  readonly #clock: Clock;
  #running: Promise<WireDoctor> | undefined;
  #last: WireDoctor | undefined;

  constructor(source: UiSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** The newest report; of a new run if `isFresh` is wanted or there is none yet. */
  report(isFresh: boolean): Promise<WireDoctor> {
    const last = this.#last;
    if (last !== undefined && (!isFresh || this.#clock.nowMs() - last.atMs < REST_MS))
      return Promise.resolve(last);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<WireDoctor> {
    this.#last = await this.#ask();
    return this.#last;
  }

  async #ask(): Promise<WireDoctor> {
    const nothing = { findings: [], pods: [], unknown: [] };
    try {
      const report = await this.#source.doctor?.();
      const atMs = this.#clock.nowMs();
      return report === undefined
        ? { atMs, ...nothing, error: 'There is no doctor here' }
        : { atMs, ...told(report) };
    } catch (error) {
      return { atMs: this.#clock.nowMs(), ...nothing, error: errorText(error) };
    }
  }
}

function told({ findings, pods, blind, notLookedAt, notProbed }: UiReport): Omit<WireDoctor, 'atMs'> {
  const nodes = notLookedAt.map(({ node, reason }) => `${node}: ${reason}`);
  const notAsked = notProbed.map(({ pod, reason }) => `${pod}: ${reason}`);
  const checks = blind.map(
    ({ id, node, reason }) => `${id}${node === undefined ? '' : ` on ${node}`}: ${reason}`,
  );
  return {
    findings: findings.map(({ id, severity, title, node, pod, evidence, cause, fix }) => ({
      ...{ id, severity, title, evidence, cause, fix },
      ...(node === undefined ? {} : { node }),
      ...(pod === undefined ? {} : { pod }),
    })),
    pods: pods.map(({ pod, node, verdict, cause }) => ({ pod, node, verdict, cause })),
    unknown: [...new Set([...nodes, ...notAsked, ...checks])],
  };
}
