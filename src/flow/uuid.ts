/**
 * A flow's uuid, made from where it stands in the log instead of being kept: 48 bits of the packet's number, 8 of which of
 * its flows, and 62 random ones of this process, as a UUID of version 8 (RFC 9562 section 5.8).
 */
export type FlowUuid = (sequence: number, index: number) => string;

/** `random` are 8 bytes of this process alone. */
export function createFlowUuids(random: Uint8Array): FlowUuid {
  const tail = Buffer.from(random.subarray(0, 8));
  // The variant's two bits (RFC 9562 section 4.1).
  tail[0] = ((tail[0] ?? 0) & 0x3f) | 0x80;
  const hex = tail.toString('hex');
  const end = `${hex.slice(0, 4)}-${hex.slice(4)}`;
  return (sequence, index) => {
    const number = sequence.toString(16).padStart(12, '0').slice(-12);
    const which = (index & 0xff).toString(16).padStart(2, '0');
    return `${number.slice(0, 8)}-${number.slice(8)}-80${which}-${end}`;
  };
}
