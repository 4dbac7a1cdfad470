/** What the socket path has to be told of services: it knows frontends and local backends, and nothing of the cluster. */
import type { Ip } from '../../net/ip.ts';

/** An address and port as a socket is connected to. */
export interface SocketPlace {
  readonly address: Ip;
  readonly port: number;
}

/**
 * Where else UDP sockets that asked for this frontend may be connected to, by programs that translate at connect: the
 * backends of its service, all over the cluster. None for an address that is no service's; undefined: not known yet.
 */
export type OtherBackends = (frontend: SocketPlace) => readonly SocketPlace[] | undefined;
