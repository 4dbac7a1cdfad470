/** The peers of a relay: who is there, each with its client, kept by what the peer service says. */
import type { HubbleClient } from '../client.ts';
import type { PeerChange } from '../observer-source.ts';

export interface RelayPeer {
  readonly name: string;
  readonly address: string;
  readonly tlsServerName?: string;
  readonly client: Pick<HubbleClient, 'flows' | 'status' | 'nodes' | 'namespaces' | 'close'>;
  /** Raised when it is no peer any more. */
  readonly left: AbortSignal;
}

interface Held {
  readonly peer: RelayPeer;
  readonly leave: AbortController;
}

/** More would be a mistake of whoever names them: Kubernetes supports 5000 nodes. */
const MOST_PEERS = 10_000;

export class PeerSet {
  readonly #open: (change: PeerChange) => RelayPeer['client'];
  readonly #held = new Map<string, Held>();
  readonly #listeners = new Set<(peer: RelayPeer) => void>();

  /** `open` makes the client of a peer. */
  constructor(open: (change: PeerChange) => RelayPeer['client']) {
    this.#open = open;
  }

  /** By name. */
  list(): readonly RelayPeer[] {
    return [...this.#held.values()].map(({ peer }) => peer).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  apply(change: PeerChange): void {
    const held = this.#held.get(change.name);
    if (change.type === 'PEER_DELETED') {
      if (held !== undefined) this.#remove(held);
      return;
    }
    const isSame = held?.peer.address === change.address && held.peer.tlsServerName === change.tlsServerName;
    if (isSame || (held === undefined && this.#held.size >= MOST_PEERS)) return;
    if (held !== undefined) this.#remove(held);
    const leave = new AbortController();
    const { name, address, tlsServerName } = change;
    const peer: RelayPeer = {
      ...{ name, address, client: this.#open(change), left: leave.signal },
      ...(tlsServerName === undefined ? {} : { tlsServerName }),
    };
    this.#held.set(name, { peer, leave });
    for (const listener of [...this.#listeners]) listener(peer);
  }

  /** Each peer that comes from now on, until the signal. */
  async *coming(signal: AbortSignal): AsyncGenerator<RelayPeer, void, void> {
    const queue: RelayPeer[] = [];
    let wake = (): void => undefined;
    const listener = (peer: RelayPeer) => {
      queue.push(peer);
      wake();
    };
    const stop = () => wake();
    this.#listeners.add(listener);
    signal.addEventListener('abort', stop);
    try {
      while (!signal.aborted) {
        const peer = queue.shift();
        if (peer !== undefined) yield peer;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener('abort', stop);
    }
  }

  close(): void {
    for (const held of [...this.#held.values()]) this.#remove(held);
  }

  #remove({ peer, leave }: Held): void {
    this.#held.delete(peer.name);
    leave.abort();
    peer.client.close();
  }
}
