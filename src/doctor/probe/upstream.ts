/**
 * Asks the servers that a cache forwards to, once by UDP and once by TCP, from the network namespace of the calling process,
 * and says what came. All at the same time, a second for everything; what is late is a timeout. Asked is for the name servers
 * of the root: every resolver knows them, and no name of anybody is told to anyone.
 */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { rcodeName, TYPE } from '../../dns/codes.ts';
import { decodeMessage } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import { FrameSplitter, frameMessage } from '../../dns/frames.ts';
import { ROOT } from '../../dns/name.ts';
import { plainQuery } from '../../dns/plain-query.ts';
import { errorCode, errorText } from '../../fault/app-error.ts';
import { type Ip, ipFamily } from '../../net/ip.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { UpstreamAnswer, UpstreamProbe } from '../site/agent-facts.ts';

export interface UpstreamAddress {
  readonly address: Ip;
  readonly port: number;
}

export interface UpstreamProbeOptions {
  readonly clock: Pick<Clock, 'monotonicMs' | 'after'>;
  /** 0 to 65535: message ids. */
  readonly randomId: () => number;
  /** For all of them together; at most, and by default, 1,000. */
  readonly timeoutMs?: number;
}

const MOST_MS = 1_000;
/** A Corefile that names more is looked at in part. */
const MOST_SERVERS = 16;

/** In the order of `addresses`; never rejects. */
export function probeUpstreams(
  addresses: readonly UpstreamAddress[],
  options: UpstreamProbeOptions,
): Promise<readonly UpstreamProbe[]> {
  const asked = addresses.slice(0, MOST_SERVERS);
  return Promise.all(asked.map((server) => probeOne(server, options)));
}

async function probeOne(server: UpstreamAddress, options: UpstreamProbeOptions): Promise<UpstreamProbe> {
  const [udp, { answer: tcp, resetAfterMs }] = await Promise.all([
    askUdp(server, options),
    askTcp(server, options),
  ]);
  return { ...server, udp, tcp, ...(resetAfterMs === undefined ? {} : { tcpResetAfterMs: resetAfterMs }) };
}

interface Question {
  readonly id: number;
  readonly bytes: Uint8Array;
  /** Since the question was made. */
  elapsedMs(): number;
}

function question({ clock, randomId }: UpstreamProbeOptions): Question {
  const id = randomId() & 0xffff;
  const startMs = clock.monotonicMs();
  return {
    id,
    bytes: encodeMessage(plainQuery({ name: ROOT, type: TYPE.NS }, { id })),
    elapsedMs: () => clock.monotonicMs() - startMs,
  };
}

function timeoutOf({ timeoutMs = MOST_MS }: UpstreamProbeOptions): number {
  return Math.min(timeoutMs, MOST_MS);
}

function askUdp({ address, port }: UpstreamAddress, options: UpstreamProbeOptions): Promise<UpstreamAnswer> {
  const { promise, resolve } = Promise.withResolvers<UpstreamAnswer>();
  const asked = question(options);
  const socket = createSocket(ipFamily(address) === 4 ? 'udp4' : 'udp6');
  let malformed = false;
  const timer = options.clock.after(timeoutOf(options), () =>
    end({ outcome: malformed ? 'malformed' : 'timeout' }),
  );
  function end(answer: UpstreamAnswer): void {
    timer.cancel();
    socket.removeAllListeners();
    // Closing an unbound socket that failed is an error to nobody.
    socket.on('error', () => undefined);
    try {
      socket.close();
    } catch {
      // It was closed by its own error.
    }
    resolve(answer);
  }
  socket.on('error', (error) => end(failure(error)));
  socket.on('message', (bytes) => {
    const answer = answerOf(asked, bytes);
    if (answer === undefined) malformed = true;
    else end(answer);
  });
  // Connected, so that the kernel tells of refusals and lets nobody else answer.
  socket.on('connect', () => socket.send(asked.bytes, (error) => error && end(failure(error))));
  socket.connect(port, address);
  return promise;
}

interface TcpAnswer {
  readonly answer: UpstreamAnswer;
  readonly resetAfterMs?: number;
}

/** Stays connected to the end of its time after an answer: a server that resets idle connections does it to caches, too. */
function askTcp({ address, port }: UpstreamAddress, options: UpstreamProbeOptions): Promise<TcpAnswer> {
  const { promise, resolve } = Promise.withResolvers<TcpAnswer>();
  const asked = question(options);
  const frames = new FrameSplitter();
  const socket = connect({ host: address, port });
  let answer: UpstreamAnswer | undefined;
  const timer = options.clock.after(timeoutOf(options), () => end({ outcome: 'timeout' }));
  function end(otherwise: UpstreamAnswer, resetAfterMs?: number): void {
    timer.cancel();
    socket.destroy();
    const reset = answer !== undefined && resetAfterMs !== undefined ? { resetAfterMs } : {};
    resolve({ answer: answer ?? otherwise, ...reset });
  }
  socket.on('connect', () => socket.write(frameMessage(asked.bytes)));
  socket.on('data', (chunk) => {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    for (const message of frames.push(bytes)) answer ??= answerOf(asked, message) ?? { outcome: 'malformed' };
  });
  socket.on('error', (error) => {
    const wasReset = errorCode(error) === 'ECONNRESET' || errorCode(error) === 'EPIPE';
    end(failure(error), wasReset ? Math.round(asked.elapsedMs()) : undefined);
  });
  socket.on('close', () => end({ outcome: 'refused', reason: 'closed without an answer' }));
  return promise;
}

function answerOf({ id, elapsedMs }: Question, bytes: Uint8Array): UpstreamAnswer | undefined {
  const decoded = decodeMessage(bytes);
  if (!decoded.ok || decoded.value.id !== id || !decoded.value.flags.response) return undefined;
  return { outcome: 'answered', latencyMs: elapsedMs(), rcode: rcodeName(decoded.value.rcode) };
}

function failure(error: unknown): UpstreamAnswer {
  const code = errorCode(error) ?? errorText(error);
  if (code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === 'EPIPE')
    return { outcome: 'refused', reason: code };
  return { outcome: code === 'ETIMEDOUT' ? 'timeout' : 'unreachable', reason: code };
}
