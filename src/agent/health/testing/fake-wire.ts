/** Test support: backends of the test's own making in place of sockets. They answer at once, or not at all. */

import type { Place } from '../health-rows.ts';
import type { Connection } from '../probe-state.ts';
import type { ProbeWire } from '../probe-wire.ts';

export class FakeWire implements ProbeWire {
  /** Places that answer over UDP, as `address port`. */
  readonly answering = new Set<string>();
  /** How places take connections; those not named do not answer. */
  readonly connections = new Map<string, Connection>();
  readonly asked: { readonly place: string; readonly id: number }[] = [];
  connected = 0;
  isClosed = false;
  #listener: Parameters<ProbeWire['onAnswer']>[0] = () => undefined;

  ask({ address, port }: Place, id: number): void {
    const place = `${address} ${port}`;
    this.asked.push({ place, id });
    if (this.answering.has(place)) this.answer({ address, port }, id);
  }

  answer({ address, port }: Place, id: number): void {
    this.#listener({ address, port }, id);
  }

  connect({ address, port }: Place, onEnd: (how: Connection) => void) {
    this.connected++;
    const how = this.connections.get(`${address} ${port}`);
    if (how !== undefined) onEnd(how);
    return { cancel: () => undefined };
  }

  onAnswer(listener: Parameters<ProbeWire['onAnswer']>[0]): void {
    this.#listener = listener;
  }

  mayBeOwn(): boolean {
    return false;
  }

  isOwn(): boolean {
    return false;
  }

  close(): void {
    this.isClosed = true;
  }
}
