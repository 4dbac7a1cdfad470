/**
 * Keeps following the source of flows for as long as the page is served: what ends or fails is asked again, later each time,
 * and the page says since when and why there is nothing. Flows are taken as they come and only counted here; when more come
 * than a page is worth, only those of one part of each second are asked for (`../flow/sample.ts`), and counted for all.
 */
import { errorCode, errorText } from '../fault/app-error.ts';
import type { GetFlowsRequest, GetFlowsResponse } from '../flow/api.ts';
import type { Clock } from '../telemetry/clock.ts';
import { SampleGovernor } from './sample-governor.ts';
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
  readonly #governor = new SampleGovernor();
  /** Ends those that wait. */
  readonly #pauses = new Set<() => void>();
  #state: Pick<WireSourceState, 'connected' | 'error' | 'nodes'> = { connected: false, nodes: [] };
  /** Ends the stream that is followed, so that another is asked for. */
  #stream = new AbortController();
  #isFirst = true;
  /** False: the source does not know samples, and is followed as fast as it can be. */
  #canSample = true;

  constructor(spec: FeedSpec) {
    this.#spec = spec;
    void this.#follow();
    void this.#watchNodes();
  }

  state(): WireSourceState {
    const { traffic, source } = this.#spec;
    const { seenFlows, lostFlows, missedFlows, crowdedOut } = traffic;
    const counts = { seenFlows, lostFlows, missedFlows, crowdedOut, oneIn: this.#oneIn };
    return { ...this.#state, ...counts, hasDoctor: source.doctor !== undefined };
  }

  /** Once a second. */
  turn(): void {
    if (!this.#canSample || !this.#governor.turn()) return;
    this.#stream.abort();
  }

  close(): void {
    this.#stop.abort();
    this.#stream.abort();
    for (const wake of this.#pauses) wake();
  }

  get #oneIn(): number {
    return this.#canSample ? this.#governor.oneIn : 1;
  }

  async #follow(): Promise<void> {
    let delayMs = FIRST_RETRY_MS;
    while (!this.#stop.signal.aborted) {
      this.#stream = new AbortController();
      const { signal } = this.#stream;
      try {
        this.#spec.traffic.sampleOneIn(this.#oneIn);
        for await (const response of this.#spec.source.flows(this.#request(), signal)) {
          delayMs = FIRST_RETRY_MS;
          this.#governor.count(weightOf(response));
          this.#spec.traffic.see(response);
        }
        if (signal.aborted) continue;
        this.#lost('The source ended its stream');
      } catch (error) {
        if (signal.aborted) continue;
        if (this.#oneIn > 1 && errorCode(error) === 'HUBBLE_UNSUPPORTED') {
          this.#canSample = false;
          continue;
        }
        this.#lost(errorText(error));
      }
      await this.#pause(delayMs);
      delayMs = Math.min(LAST_RETRY_MS, delayMs * 2);
    }
  }

  #request(): GetFlowsRequest {
    const oneIn = this.#oneIn;
    const narrow = oneIn === 1 ? {} : { narrow: { one_in: oneIn } };
    const number = this.#isFirst ? { number: FIRST_FLOWS } : {};
    this.#isFirst = false;
    return { follow: true, ...number, ...narrow };
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

  /** Nothing of it stays behind: a page is served for months. */
  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stop.signal.aborted) return resolve();
      const wake = () => {
        timer.cancel();
        this.#pauses.delete(wake);
        resolve();
      };
      const timer = this.#spec.clock.after(delayMs, wake);
      this.#pauses.add(wake);
    });
  }
}

/** A packet is told as one to five flows. */
const FLOWS_A_PACKET = 3;

/** What was not read in time was too much, too: whoever counts only what came would never ask for less. */
function weightOf({ flow, lost_events: lost }: GetFlowsResponse): number {
  if (flow !== undefined) return 1;
  return lost?.source === 'HUBBLE_RING_BUFFER' ? FLOWS_A_PACKET * (Number(lost.num_events_lost) || 0) : 0;
}
