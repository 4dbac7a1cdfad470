/**
 * A relay's client of a peer, by what the peer service says of it: its address, and the name in its certificate when it
 * speaks TLS. An address that means nothing is that peer's trouble: it is told of as unavailable, like one that is away.
 */
import { isIPv6 } from 'node:net';
import { AppError, errorText } from '../../fault/app-error.ts';
import { type ClientTls, openHubble } from '../client.ts';
import type { HubbleErrorCode } from '../errors.ts';
import type { PeerChange } from '../observer-source.ts';
import type { RelayPeer } from './peer-set.ts';

/** Hubble's port on a node (spec hubble 7.1). */
const NODE_PORT = 4244;

/** `tls` is what is shown to peers and who is believed; absent: no peer is spoken to by TLS. */
export function openPeer({ address, tlsServerName }: PeerChange, tls?: ClientTls): RelayPeer['client'] {
  const target = withPort(address);
  try {
    if (tls === undefined || tlsServerName === undefined) return openHubble(target);
    return openHubble(target, { ...tls, serverName: tlsServerName });
  } catch (error) {
    return brokenClient(errorText(error));
  }
}

function withPort(address: string): string {
  if (address.startsWith('unix:')) return address;
  if (isIPv6(address)) return `[${address}]:${NODE_PORT}`;
  return /^(\[[^\]]*\]|[^:]*)$/.test(address) ? `${address}:${NODE_PORT}` : address;
}

function brokenClient(reason: string): RelayPeer['client'] {
  const fail = async () => {
    const code: HubbleErrorCode = 'HUBBLE_UNREACHABLE';
    throw new AppError(code, reason);
  };
  return {
    async *flows() {
      yield* [];
      await fail();
    },
    ...{ status: fail, nodes: fail, namespaces: fail, close: () => undefined },
  };
}
