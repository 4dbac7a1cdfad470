/**
 * A steady stream of DNS queries from inside a pod, open loop: a query leaves when its time has come, whatever became of
 * those before it, so that a server's pause shows as loss or delay and not as silence. The sockets stay open all along,
 * as those of a long-running program do: nothing here helps a client over to another backend.
 */
import { createSocket, type Socket } from 'node:dgram';
import { RCODE, TYPE } from '../../dns/codes.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Name } from '../../dns/name.ts';
import { plainQuery } from '../../dns/plain-query.ts';

const SOCKETS = 16;
/** Default of a load's patience: what a stub resolver waits is 5 s, what a user notices is less. */
export const LOST_AFTER_MS = 1_000;
const TICK_MS = 2;

export interface LoadOptions {
  readonly name: Name;
  readonly server: string;
  readonly port: number;
  /** Queries per second. */
  readonly rate: number;
  /** For ever when absent. */
  readonly durationMs?: number;
  /** Milliseconds; a query without an answer after so long is lost. Default: LOST_AFTER_MS. */
  readonly patienceMs?: number;
  /** Ends the sending early; what has been sent is still waited for. */
  readonly stop?: AbortSignal;
  /** Called with every query once it is answered or lost, in no order. */
  readonly onResult: (result: LoadResult) => void;
}

export interface LoadResult {
  /** Milliseconds since the epoch, with fractions. */
  readonly sentAtMs: number;
  readonly sourcePort: number;
  readonly id: number;
  /** Absent for a lost query. */
  readonly tookMs?: number;
  readonly rcode?: number;
}

interface Pending {
  readonly sentAtMs: number;
  readonly sourcePort: number;
  readonly id: number;
}

/** Resolves when the last query is answered or lost. */
export async function runLoad(options: LoadOptions): Promise<void> {
  const pending = new Map<string, Pending>();
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => openSocket(options)));
  const settle = (key: string, answer: { tookMs?: number; rcode?: number }) => {
    const query = pending.get(key);
    if (query === undefined) return;
    pending.delete(key);
    options.onResult({ ...query, ...answer });
  };
  for (const socket of sockets) {
    const { port } = socket.address();
    socket.on('message', (bytes) => {
      const key = `${port}/${bytes.readUInt16BE(0)}`;
      const sentAtMs = pending.get(key)?.sentAtMs ?? 0;
      settle(key, { tookMs: epochMs() - sentAtMs, rcode: (bytes[3] ?? RCODE.SERVFAIL) & 0xf });
    });
    // Refused or unreachable: the query stays unanswered, which is what is counted.
    socket.on('error', () => undefined);
  }
  await sendAll(options, sockets, pending, settle);
  for (const socket of sockets) socket.close();
}

function sendAll(
  options: LoadOptions,
  sockets: readonly Socket[],
  pending: Map<string, Pending>,
  settle: (key: string, answer: Record<string, never>) => void,
): Promise<void> {
  const { rate, durationMs = Number.POSITIVE_INFINITY, stop } = options;
  const total = Math.round((rate * durationMs) / 1000);
  const started = epochMs();
  let sent = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const stopped = stop?.aborted === true;
      const due = stopped ? sent : Math.min(total, Math.floor(((epochMs() - started) * rate) / 1000));
      for (; sent < due; sent++) sendOne(options, sockets, pending, sent);
      expire(pending, settle, options.patienceMs ?? LOST_AFTER_MS);
      if ((sent === total || stopped) && pending.size === 0) {
        clearInterval(timer);
        resolve();
      }
    }, TICK_MS);
  });
}

function sendOne(
  options: LoadOptions,
  sockets: readonly Socket[],
  pending: Map<string, Pending>,
  index: number,
): void {
  const socket = sockets[index % sockets.length];
  if (socket === undefined) return;
  const id = Math.floor(index / sockets.length) & 0xffff;
  const { port } = socket.address();
  pending.set(`${port}/${id}`, { sentAtMs: epochMs(), sourcePort: port, id });
  socket.send(encodeMessage(plainQuery({ name: options.name, type: TYPE.A }, { id })));
}

/** The map is in the order of sending, so the first that is young enough ends the walk. */
function expire(
  pending: Map<string, Pending>,
  settle: (key: string, answer: Record<string, never>) => void,
  patienceMs: number,
): void {
  const oldest = epochMs() - patienceMs;
  for (const [key, query] of pending) {
    if (query.sentAtMs > oldest) return;
    settle(key, {});
  }
}

function openSocket({ server, port }: LoadOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.connect(port, server, () => {
      socket.removeListener('error', reject);
      resolve(socket);
    });
  });
}

/** Milliseconds since the epoch, with fractions. */
export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
