/**
 * Sockets that another process has opened and handed over, until somebody takes them. Each is taken once, by who wants to
 * listen on exactly its address; then it is the taker's to close. What nobody took is closed in the end.
 */
import { closeDescriptor } from '../sys/datagram-socket.ts';
import type { OwnSocket } from '../sys/own-sockets.ts';
import type { SocketAddress } from './handler.ts';

export class InheritedSockets {
  readonly #sockets: Set<OwnSocket>;

  constructor(sockets: readonly OwnSocket[]) {
    this.#sockets = new Set(sockets);
  }

  /** Descriptors bound to exactly this address; several of UDP where several read it. */
  take(kind: OwnSocket['kind'], { address, port }: SocketAddress): readonly number[] {
    const taken = [...this.#sockets].filter(
      (socket) => socket.kind === kind && socket.address === address && socket.port === port,
    );
    for (const socket of taken) this.#sockets.delete(socket);
    return taken.map(({ fd }) => fd);
  }

  closeRest(): void {
    for (const { fd } of this.#sockets) closeDescriptor(fd);
    this.#sockets.clear();
  }
}
