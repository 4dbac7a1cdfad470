/**
 * Keeps a relay's peers as the peer service tells them. While the service is away the peers stay what they were: the nodes
 * are most likely still there. When it is back it tells all of them anew, and whom it does not name any more has left; it has
 * no word for "that was all", so that they are let go only after a while.
 */
import { errorText } from '../../fault/app-error.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { PeerSource } from '../observer-source.ts';
import type { PeerSet } from './peer-set.ts';

export interface WatchPeersOptions {
  /** Asked again and again. */
  readonly notify: PeerSource;
  readonly peers: PeerSet;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'warning'>;
  /** Between two attempts, in milliseconds. */
  readonly retryMs: number;
}

/** After the service is back, in milliseconds. */
const SETTLE_MS = 10_000;

/** Until the signal. Never rejects. */
export async function watchPeers(options: WatchPeersOptions): Promise<void> {
  const { notify, peers, signal, clock, log, retryMs } = options;
  let told = '';
  while (!signal.aborted) {
    const named = new Set<string>();
    let settling: Timer | undefined;
    try {
      for await (const change of notify(signal)) {
        settling ??= clock.after(SETTLE_MS, () => letGo(peers, named));
        if (told !== '') log.info('the peer service is back');
        told = '';
        if (change.type === 'PEER_DELETED') named.delete(change.name);
        else named.add(change.name);
        peers.apply(change);
      }
      if (signal.aborted) return;
      throw new Error('the peer service has ended its stream');
    } catch (error) {
      const text = errorText(error);
      if (text !== told) log.warning(`${text}: the peers stay the ${peers.list().length} that are known`);
      told = text;
    } finally {
      settling?.cancel();
    }
    await pause(retryMs, signal, clock);
  }
}

function letGo(peers: PeerSet, named: ReadonlySet<string>): void {
  for (const { name, address } of peers.list())
    if (!named.has(name)) peers.apply({ name, address, type: 'PEER_DELETED' });
}

/** Until then or until the signal. */
export function pause(delayMs: number, signal: AbortSignal, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      timer.cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(delayMs, done);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
