/**
 * Keeps following the source of flows for as long as the page is served: what ends or fails is asked again, later each time,
 * and the page says since when and why there is nothing. Flows are taken as they come and only counted here.
 */
import { errorText } from '../fault/app-error.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { Traffic } from './traffic/traffic.ts';
import type { UiSource } from './ui-source.ts';
import type { WireSourceState } from './wire.ts';

/** What has been before the page came: enough for a first picture. */
const FIRST_FLOWS = 2000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;
/** Nodes come and go seldom. */
const STATUS_EVERY_MS = 5000;

export interface FeedSpec {
  readonly source: UiSource;
  readonly traffic: Traffic;
  readonly clock: Clock;
}

export class SourceFeed {
  readonly #spec: FeedSpec;
  readonly #stop = new AbortController();
  #state: Pick<WireSourceState, 'connected' | 'error' | 'nodes'> = { connected: false, nodes: [] };
  #isFirst = true;

  constructor(spec: FeedSpec) {
    this.#spec = spec;
    void this.#follow();
    void this.#watchNodes();
  }

  state(): WireSourceState {
    const { traffic, source } = this.#spec;
    const { seenFlows, lostFlows, crowdedOut } = traffic;
    return { ...this.#state, seenFlows, lostFlows, crowdedOut, hasDoctor: source.doctor !== undefined };
  }

  close(): void {
    this.#stop.abort();
  }

  async #follow(): Promise<void> {
    let delayMs = FIRST_RETRY_MS;
    while (!this.#stop.signal.aborted) {
      try {
        for await (const response of this.#responses()) {
          delayMs = FIRST_RETRY_MS;
          this.#spec.traffic.see(response);
        }
        this.#lost('The source ended its stream');
      } catch (error) {
        this.#lost(errorText(error));
      }
      await this.#pause(delayMs);
      delayMs = Math.min(LAST_RETRY_MS, delayMs * 2);
    }
  }

  #responses() {
    const number = this.#isFirst ? FIRST_FLOWS : 0;
    this.#isFirst = false;
    const request = number === 0 ? { follow: true } : { follow: true, number };
    return this.#spec.source.flows(request, this.#stop.signal);
  }

  async #watchNodes(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        const nodes = await this.#spec.source.nodes();
        const { error: _, ...rest } = this.#state;
        this.#state = { ...rest, connected: true, nodes: nodes.map(({ name, state }) => ({ name, state })) };
      } catch (error) {
        this.#lost(errorText(error));
      }
      await this.#pause(STATUS_EVERY_MS);
    }
  }

  #lost(error: string): void {
    if (!this.#stop.signal.aborted) this.#state = { ...this.#state, connected: false, error };
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stop.signal.aborted) return resolve();
      const timer = this.#spec.clock.after(delayMs, resolve);
      this.#stop.signal.addEventListener('abort', () => {
        timer.cancel();
        resolve();
      });
    });
  }
}
