/**
 * What the tests of `forward` stand on: upstreams on real sockets and forwarders with a virtual clock, all ended together.
 * Time-outs are the clock's; what happens on sockets is waited for.
 */
import { RCODE } from '../../../dns/codes.ts';
import { recordAddress } from '../../../dns/rdata/address.ts';
import type { Handler, Query, Reply } from '../../../server/handler.ts';
import { type FakeHost, fakeHost, setUp } from '../../fake-host.ts';
import { setup } from '../setup.ts';
import { FakeUpstream, type Script } from './fake-upstream.ts';

export interface Forwarder {
  readonly host: FakeHost;
  run(query: Query): Promise<Reply>;
}

const WAIT_MS = 15_000;

const nothingBehind: Handler = () => ({ rcode: RCODE.NXDOMAIN });

export class ForwardRig {
  readonly #cleanUps: (() => unknown)[] = [];

  /** Takes a free port, or the one given. */
  async upstream(script: Script, port?: number): Promise<FakeUpstream> {
    const server = await FakeUpstream.start(script, port);
    this.atEnd(() => server.close());
    return server;
  }

  /** Of the `forward` lines given; `next` is what stands behind them. */
  forwarder(lines: string, next: Handler = nothingBehind): Forwarder {
    const host = fakeHost();
    const instance = setUp(setup, lines, { host });
    if (instance.plugin === undefined) throw new Error('no plugin');
    this.atEnd(() => instance.onShutdown?.());
    const handler = instance.plugin(next);
    return { host, run: async (query) => handler(query) };
  }

  atEnd(cleanUp: () => unknown): void {
    this.#cleanUps.push(cleanUp);
  }

  /** The youngest first. */
  async close(): Promise<void> {
    for (const cleanUp of this.#cleanUps.splice(0).reverse()) await cleanUp();
  }
}

/** Waits for what happens on real sockets; the bound is only for a broken test. */
export async function until(reached: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  while (!reached() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 1));
  if (!reached()) throw new Error('what the test waits for did not happen');
}

/** Some turns in which sockets are read: a timer alone may be due before the first, in a process that was put off. */
async function packetsRead(): Promise<undefined> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets time pass until the answer is there, a little for the sockets and then a lot for the clock. */
export async function settledBy<T>(host: FakeHost, answer: Promise<T>): Promise<T> {
  for (let tries = 0; tries < 20; tries++) {
    const settled = await Promise.race([answer.then((value) => ({ value })), packetsRead()]);
    if (settled !== undefined) return settled.value;
    host.clock.pass(2000);
  }
  throw new Error('what the test waits for did not happen');
}

/** The first address of the answer. */
export function addressOf({ message }: Reply): string | undefined {
  const [first] = message?.answers ?? [];
  return first && recordAddress(first);
}
