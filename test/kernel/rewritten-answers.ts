/**
 * Names whose only record says whose it is and which version of it, over and over, so that whoever reads it can tell an answer
 * that is half one and half another, another name's, or an old one.
 */
export const HOT_NAMES = 64;
/** One TXT string of so many pairs of name and version, each number in four bytes. */
const PAIRS = 25;
export const TXT = 16;
export const TEXT_BYTES = 8 * PAIRS;

/** All of one length. */
export function hotName(index: number): string {
  return `hot-${String(index).padStart(3, '0')}.rewritten.example.org`;
}

export function writeRecordData(index: number, version: number): Uint8Array {
  const data = new Uint8Array(1 + TEXT_BYTES);
  const view = new DataView(data.buffer);
  view.setUint8(0, TEXT_BYTES);
  for (let at = 1; at < data.length; at += 8) {
    view.setUint32(at, index);
    view.setUint32(at + 4, version);
  }
  return data;
}

/** The version; a negative number when the data is not what `writeRecordData` gives for this name and any version. */
export function readVersion(data: DataView, at: number, index: number): number {
  if (data.getUint8(at) !== TEXT_BYTES) return -1;
  const version = data.getUint32(at + 5);
  for (let i = at + 1; i < at + 1 + TEXT_BYTES; i += 8) {
    if (data.getUint32(i) !== index || data.getUint32(i + 4) !== version) return -1;
  }
  return version;
}
