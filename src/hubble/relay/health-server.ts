/**
 * Whether a relay serves, on a port of its own without TLS: the probes of Kubernetes speak gRPC and no TLS. Whoever asks for
 * anything else there is refused, so that it tells nobody who asks for what.
 */
import { AppError } from '../../fault/app-error.ts';
import type { HubbleErrorCode } from '../errors.ts';
import type { ObserverSource } from '../observer-source.ts';
import { type HubbleServer, type HubbleServerOptions, startHubbleServer } from '../server.ts';

/** Throws `AppError` as `openListener` does. */
export function startHealthServer(
  options: Pick<HubbleServerOptions, 'listen' | 'clock' | 'log'>,
): Promise<HubbleServer> {
  return startHubbleServer({ ...options, source: REFUSING });
}

const refuse = async () => {
  const code: HubbleErrorCode = 'HUBBLE_UNSUPPORTED';
  throw new AppError(code, 'Cannot answer: here is the health of the relay and nothing else');
};

const REFUSING: ObserverSource = {
  async *flows() {
    yield* [];
    await refuse();
  },
  ...{ status: refuse, nodes: refuse, namespaces: refuse },
};
