/**
 * Answers a query where it lies, from the shared answers. This version knows no question that it may answer.
 */
import type { PacketAnswerer, PacketAnswererOptions } from './contract.ts';

/** `shared` is `AnswerCache.shared`; it may be used in any thread. */
export function createPacketAnswerer(
  _shared: SharedArrayBuffer,
  _options: PacketAnswererOptions,
): PacketAnswerer {
  return { begin: () => undefined, end: () => undefined, answer: () => 0, lastRoute: -1 };
}
