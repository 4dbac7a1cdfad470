import { describe, expect, it } from 'vitest';
import { AppError } from '../fault/app-error.ts';
import type { GetFlowsRequest, GetFlowsResponse } from '../flow/api.ts';
import { formatTime } from '../flow/time.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { AgentClient } from './client.ts';
import { followAgents } from './follow.ts';

const NOW_MS = Date.UTC(2026, 10, 22);
/** Waits for nothing, so that tests do not either. */
const clock: Clock = {
  nowMs: () => NOW_MS,
  monotonicMs: () => 0,
  after(_, run) {
    const timer = setImmediate(run);
    return { cancel: () => clearImmediate(timer) };
  },
};

const seen = (second: number): GetFlowsResponse => ({
  lost_events: { source: 'HUBBLE_RING_BUFFER', num_events_lost: '1' },
  node_name: 'n',
  time: formatTime(BigInt(second) * 1_000_000_000n),
});

/** An agent that lives several times: each life says something and ends; between two it is `deaf` times not there. */
class Mortal implements AgentClient {
  readonly socketPath = '/nowhere';
  readonly requests: GetFlowsRequest[] = [];
  readonly #lives: (readonly GetFlowsResponse[])[];
  #deaf = 2;
  readonly #ending: unknown;

  constructor(
    lives: readonly (readonly GetFlowsResponse[])[],
    ending: unknown = new AppError('AGENT_NOT_RUNNING', 'gone'),
  ) {
    this.#lives = [...lives];
    this.#ending = ending;
  }

  async *flows(request: GetFlowsRequest, signal?: AbortSignal): AsyncGenerator<GetFlowsResponse, void, void> {
    this.requests.push(request);
    yield* this.#lives.shift() ?? [];
    if (signal?.aborted !== true) throw this.#ending;
  }

  status(): ReturnType<AgentClient['status']> {
    if (this.#deaf-- > 0) return Promise.reject(new AppError('AGENT_NOT_RUNNING', 'not yet'));
    return Promise.resolve({} as Awaited<ReturnType<AgentClient['status']>>);
  }

  lrp(): never {
    throw new Error('nobody asks');
  }

  service(): never {
    throw new Error('nobody asks');
  }

  lb(): never {
    throw new Error('nobody asks');
  }
}

function follow(clients: readonly AgentClient[], request: GetFlowsRequest = { follow: true }) {
  const said: string[] = [];
  const abort = new AbortController();
  const agents = clients.map((client, index) => ({ node: `node-${index}`, client }));
  const streams = followAgents(agents, {
    ...{ request, clock, signal: abort.signal },
    onGone: (node) => said.push(`${node} gone`),
    onBack: (node) => said.push(`${node} back`),
  });
  return { streams, said, abort };
}

describe('followAgents', () => {
  it('goes on after an agent has been away, with what came after the newest it had told', async () => {
    const mortal = new Mortal([[seen(1), seen(2)], [seen(3)]]);
    const { streams, said, abort } = follow([mortal, new Mortal([])], { follow: true, number: '5' });
    const times: string[] = [];
    for await (const { time } of streams[0] ?? []) {
      times.push(time);
      if (times.length === 3) abort.abort();
    }
    expect(times).toEqual([seen(1).time, seen(2).time, seen(3).time]);
    expect(said).toEqual(['node-0 gone', 'node-0 back']);
    expect(mortal.requests).toEqual([
      { follow: true, number: '5' },
      { follow: true, since: '1970-01-01T00:00:02.000000001Z' },
    ]);
  });

  it('asks an agent that had told nothing for what comes from then on', async () => {
    const mortal = new Mortal([[], [seen(9)]]);
    const { streams, abort } = follow([mortal, new Mortal([])]);
    await streams[0]?.next();
    abort.abort();
    expect(mortal.requests[1]?.since).toBe(formatTime(BigInt(NOW_MS) * 1_000_000n));
  });

  it('ends when no agent is left', async () => {
    const { streams, said } = follow([new Mortal([[seen(1)]])]);
    const [only] = streams;
    expect(await only?.next()).toMatchObject({ done: false });
    await expect(only?.next()).rejects.toMatchObject({ code: 'AGENT_NOT_RUNNING' });
    expect(said).toEqual([]);
  });

  it('passes on a refusal', async () => {
    const refusal = new AppError('FLOW_REQUEST_INVALID', 'no');
    const { streams } = follow([new Mortal([], refusal), new Mortal([])]);
    await expect(streams[0]?.next()).rejects.toBe(refusal);
  });
});
