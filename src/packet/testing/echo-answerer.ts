/**
 * For tests: an answerer with simple rules instead of a cache. `hot…` is answered in place with `HOT…`; `grow…` with as
 * many bytes as a slot has; `die…` ends the thread; everything else is left to the main thread.
 */
import {
  PACKET_SLOT_BYTES,
  type PacketAnswerer,
  type PacketAnswererOptions,
} from '../../wirecache/contract.ts';
import type { AnswerSource } from '../udp-service.ts';

const WORDS = { hot: 0x686f74, grow: 0x67726f, die: 0x646965 };
/** What `lastRoute` says. */
export const ECHO_ROUTE = 7;

export function createPacketAnswerer(
  _shared: SharedArrayBuffer,
  { packets }: PacketAnswererOptions,
): PacketAnswerer {
  const bytes = new Uint8Array(packets);
  return {
    begin: () => undefined,
    end: () => undefined,
    lastRoute: ECHO_ROUTE,
    answer(at, length) {
      const word = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
      if (word === WORDS.die) throw new Error('asked to die');
      if (word !== WORDS.hot && word !== WORDS.grow) return 0;
      const end = word === WORDS.hot ? length : PACKET_SLOT_BYTES;
      for (let i = 0; i < 3; i++) bytes[at + i] = (bytes[at + i] ?? 0) - 0x20;
      if (word === WORDS.grow) bytes.fill(0x2b, at + length, at + end);
      return end;
    },
  };
}

/** With this many seats. */
export function echoSource(seats = 16): AnswerSource {
  let taken = 0;
  return {
    module: import.meta.url,
    create: createPacketAnswerer,
    shared: new SharedArrayBuffer(8),
    openSeat() {
      if (taken === seats) return undefined;
      taken++;
      return { number: taken, close: () => void taken-- };
    },
  };
}
