/**
 * What a relay has to say about its nodes, for one stream: the same word about several nodes that comes within a moment is
 * said once, since a cluster that lost a zone would otherwise be told of in a hundred lines.
 */
import type { GetFlowsResponse, NodeState } from '../../flow/api.ts';
import { formatTime } from '../../flow/time.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import type { Aside } from './merge-by-time.ts';

interface Item {
  readonly state: NodeState;
  readonly names: string[];
  /** Undefined when the nodes have different ones. */
  message: string | undefined;
}

const GATHER_MS = 50;
const NS_PER_MS = 1_000_000n;

export class NodeNews implements Aside {
  readonly #clock: Clock;
  /** Who says it. */
  readonly #name: string;
  readonly #items: Item[] = [];
  #timer: Timer | undefined;
  #isReady = false;
  onReady = (): void => undefined;

  constructor(name: string, clock: Clock) {
    this.#name = name;
    this.#clock = clock;
  }

  tell(state: NodeState, name: string, message?: string): void {
    // Errors are told apart by what they say; of who is away it matters that they are.
    const same = this.#items.find(
      (item) => item.state === state && (state !== 'NODE_ERROR' || item.message === message),
    );
    if (same === undefined) this.#items.push({ state, names: [name], message });
    else if (!same.names.includes(name)) {
      same.names.push(name);
      if (same.message !== message) same.message = undefined;
    }
    this.#timer ??= this.#clock.after(GATHER_MS, () => {
      this.#isReady = true;
      this.onReady();
    });
  }

  take(all: boolean): GetFlowsResponse | undefined {
    if (!this.#isReady && !all) return undefined;
    const item = this.#items.shift();
    if (this.#items.length === 0) this.#rest();
    if (item === undefined) return undefined;
    const { state, names, message } = item;
    return {
      node_status: {
        ...{ state_change: state, node_names: names },
        ...(message === undefined ? {} : { message }),
      },
      node_name: this.#name,
      time: formatTime(BigInt(Math.round(this.#clock.nowMs())) * NS_PER_MS),
    };
  }

  /** Forgets what was not said yet. */
  close(): void {
    this.#items.length = 0;
    this.#rest();
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#isReady = false;
  }
}
