/**
 * Puts packets together byte by byte, well-formed or not. Shares nothing with `src/dns`: an error there must not be
 * repeated here. Text is ASCII; a label is whatever stands between two dots.
 */
export interface BuiltRecord {
  /** A pointer's two bytes may be given in place of a name. */
  readonly owner: string | readonly number[];
  readonly type: number;
  readonly class?: number;
  readonly ttl?: number;
  readonly data: readonly number[];
}

export interface BuiltPacket {
  readonly bits?: number;
  readonly name: string | readonly number[];
  readonly type?: number;
  readonly class?: number;
  readonly answers?: readonly BuiltRecord[];
  readonly authorities?: readonly BuiltRecord[];
  readonly additionals?: readonly BuiltRecord[];
}

/** RD. */
const PLAIN_QUERY = 0x0100;

export const u16 = (value: number): readonly number[] => [(value >> 8) & 0xff, value & 0xff];

export function nameBytes(text: string): readonly number[] {
  const labels = text.split('.').filter((label) => label !== '');
  return [...labels.flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]), 0];
}

export function buildPacket(packet: BuiltPacket): Uint8Array {
  const { answers = [], authorities = [], additionals = [] } = packet;
  const counts = [1, answers.length, authorities.length, additionals.length];
  return Uint8Array.from([
    ...u16(0x1234),
    ...u16(packet.bits ?? PLAIN_QUERY),
    ...counts.flatMap(u16),
    ...ownerBytes(packet.name),
    ...u16(packet.type ?? 1),
    ...u16(packet.class ?? 1),
    ...[...answers, ...authorities, ...additionals].flatMap(recordBytes),
  ]);
}

/** `options` are whole: code, length, data. */
export function optRecord({ size = 1232, ttl = 0, options = [] as readonly number[] } = {}): BuiltRecord {
  return { owner: '', type: 41, class: size, ttl, data: options };
}

export function option(code: number, data: readonly number[]): readonly number[] {
  return [...u16(code), ...u16(data.length), ...data];
}

export function recordBytes({
  owner,
  type,
  class: recordClass = 1,
  ttl = 0,
  data,
}: BuiltRecord): readonly number[] {
  const time = [...u16(ttl >>> 16), ...u16(ttl & 0xffff)];
  return [...ownerBytes(owner), ...u16(type), ...u16(recordClass), ...time, ...u16(data.length), ...data];
}

function ownerBytes(owner: string | readonly number[]): readonly number[] {
  return typeof owner === 'string' ? nameBytes(owner) : owner;
}
