/** Test support: packets as values, one call each, with how many were lost before. */
import type { PacketEvent } from '../datapath.ts';
import { type PacketSink, toPacketEvent } from '../packet-record.ts';

export function eventSink(take: (event: PacketEvent, lost: number) => void): PacketSink {
  let lost = 0;
  return {
    lost(count) {
      lost += count;
    },
    packet(memory, at, length) {
      const event = toPacketEvent(memory, at, length);
      if (event === undefined) return;
      take(event, lost);
      lost = 0;
    },
  };
}
