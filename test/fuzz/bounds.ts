/** What a run may cost: time for one packet, and memory from its warm state to its end. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * For one packet, on a machine that others use too: a packet costs microseconds, and what hangs takes for ever. Whatever
 * takes longer is tried again before it counts.
 */
export const MAX_PACKET_MS = 250;

/** Bytes of live objects: what the collector has not looked at yet is no growth. */
export function liveBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

export function residentBytes(): number {
  return process.memoryUsage.rss();
}
