/** Test support: what tcpdump wrote (libpcap file format: 24 bytes of header, then 16 bytes before each packet). */
import { type ReadPacket, readPacket } from './test-packet.ts';

/** Of a file that may still grow: whole packets only. */
export function readCapture(file: Buffer): readonly ReadPacket[] {
  const packets: ReadPacket[] = [];
  for (let at = 24; at + 16 <= file.length; ) {
    const length = file.readUInt32LE(at + 8);
    if (at + 16 + length > file.length) break;
    packets.push(readPacket(Uint8Array.from(file.subarray(at + 16, at + 16 + length))));
    at += 16 + length;
  }
  return packets;
}
