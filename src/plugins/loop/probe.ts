/**
 * Sends the probe by UDP, once a second until something answers, for at most 30 seconds. What the answer says does not
 * matter. Two seconds later no echo can be under way any more, and the watch is over.
 */
import { createSocket } from 'node:dgram';
import { TYPE } from '../../dns/codes.ts';
import { decodeHeader } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Name } from '../../dns/name.ts';
import { plainQuery } from '../../dns/plain-query.ts';
import { type Ip, ipFamily } from '../../net/ip.ts';
import { formatAddressPort } from '../../net/port.ts';
import type { SocketAddress } from '../../server/handler.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import type { Watch } from './plugin.ts';

const ANSWER_TIMEOUT_MS = 2000;
const RETRY_MS = 1000;
const GIVE_UP_MS = 30_000;
const ECHO_MS = 2000;

export interface ProbeOptions {
  readonly watch: Watch;
  readonly clock: Clock;
  /** Uniform in 0 to 65535. */
  readonly randomId: () => number;
}

/** Returns the way to stop. */
export function startProbe(target: SocketAddress, { watch, clock, randomId }: ProbeOptions): () => void {
  const deadlineMs = clock.monotonicMs() + GIVE_UP_MS;
  let pause: Timer | undefined;
  let stopExchange: () => void = () => undefined;
  function end(): void {
    watch.over = true;
    pause?.cancel();
    stopExchange();
  }
  function attempt(): void {
    if (clock.monotonicMs() >= deadlineMs) {
      end();
      return;
    }
    stopExchange = exchange(target, { qname: watch.qname, id: randomId(), clock }, (answered) => {
      if (answered) {
        pause = clock.after(ECHO_MS, end);
        return;
      }
      watch.seen = 0;
      pause = clock.after(RETRY_MS, attempt);
    });
  }
  attempt();
  return end;
}

/** How a listener is named in the log, and where to send to reach it: a wildcard is reached by loopback. */
export function reachable(listener: SocketAddress): { text: string; target: SocketAddress } {
  const { address, port } = listener;
  const loopback: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  const local = loopback[address];
  if (local === undefined) return { text: formatAddressPort(address, port), target: listener };
  return { text: `:${port}`, target: { address: local as Ip, port } };
}

interface Exchange {
  readonly qname: Name;
  readonly id: number;
  readonly clock: Clock;
}

/** Calls `done` exactly once unless stopped before. */
function exchange(target: SocketAddress, what: Exchange, done: (answered: boolean) => void): () => void {
  const socket = createSocket(ipFamily(target.address) === 6 ? 'udp6' : 'udp4');
  const timer = what.clock.after(ANSWER_TIMEOUT_MS, () => finish(false));
  const wire = encodeMessage(plainQuery({ name: what.qname, type: TYPE.HINFO }, { id: what.id }));
  let finished = false;
  function stop(): boolean {
    if (finished) return false;
    finished = true;
    timer.cancel();
    socket.close();
    return true;
  }
  function finish(answered: boolean): void {
    if (stop()) done(answered);
  }
  socket.on('error', () => finish(false));
  socket.on('message', (bytes) => {
    if (decodeHeader(bytes)?.id === what.id) finish(true);
  });
  socket.on('connect', () => {
    if (!finished) socket.send(wire, (error) => error && finish(false));
  });
  // Without a callback of its own, `connect` reports its failures as `error` events.
  socket.connect(target.port, target.address);
  return stop;
}
