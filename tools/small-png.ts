/**
 * A picture of a page in fewer bytes: the 256 colours that it has most of, each pixel in the nearest of them. Backgrounds and
 * lines stay exactly what they are; what changes is the shading at the edges of letters. Reads what Chromium writes (PNG,
 * eight bits, RGB or RGBA, no interlace) and nothing else.
 */
import { crc32, deflateSync, inflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const COLOURS = 256;
const COMMON_COLOURS = 176;
/** Squared, in steps of a channel. */
const UNLIKE = 20 * 20;

export function smallPng(png: Buffer): Buffer {
  const chunks = chunksOf(png);
  const header = chunks.get('IHDR') ?? Buffer.alloc(13);
  const [width, height, depth, kind] = [header.readUInt32BE(0), header.readUInt32BE(4), header[8], header[9]];
  if (depth !== 8 || (kind !== 2 && kind !== 6) || header[12] !== 0)
    throw new Error('Cannot read this kind of PNG');
  const channels = kind === 6 ? 4 : 3;
  const rows = unfilter(inflateSync(chunks.get('IDAT') ?? Buffer.alloc(0)), width * channels, channels);
  const pixels = new Uint32Array(width * height);
  for (let i = 0; i < pixels.length; i++) pixels[i] = rows.readUIntBE(i * channels, 3);
  const palette = paletteOf(pixels);
  const places = new Map<number, number>();
  const out = Buffer.alloc((width + 1) * height);
  for (let i = 0; i < pixels.length; i++) {
    const pixel = pixels[i] ?? 0;
    const place = places.get(pixel) ?? nearest(palette, pixel);
    places.set(pixel, place);
    out[i + Math.floor(i / width) + 1] = place;
  }
  const head = Buffer.from(header);
  head[9] = 3;
  const colours = Buffer.concat(
    palette.map((colour) => Buffer.from([colour >> 16, (colour >> 8) & 255, colour & 255])),
  );
  return Buffer.concat([
    SIGNATURE,
    ...[chunk('IHDR', head), chunk('PLTE', colours), chunk('IDAT', deflateSync(out, { level: 9 }))],
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Chunks of one kind as one (PNG section 11.2.4). */
function chunksOf(png: Buffer): ReadonlyMap<string, Buffer> {
  const chunks = new Map<string, Buffer>();
  for (let at = SIGNATURE.length; at + 12 <= png.length; ) {
    const length = png.readUInt32BE(at);
    const name = png.toString('latin1', at + 4, at + 8);
    const before = chunks.get(name) ?? Buffer.alloc(0);
    chunks.set(name, Buffer.concat([before, png.subarray(at + 8, at + 8 + length)]));
    at += 12 + length;
  }
  return chunks;
}

/** Undoes the filter of each line (PNG section 9). */
function unfilter(data: Buffer, lineBytes: number, step: number): Buffer {
  const out = Buffer.alloc((data.length / (lineBytes + 1)) * lineBytes);
  for (let line = 0; line * (lineBytes + 1) < data.length; line++) {
    const filter = data[line * (lineBytes + 1)] ?? 0;
    for (let x = 0; x < lineBytes; x++) {
      const at = line * lineBytes + x;
      const left = x < step ? 0 : (out[at - step] ?? 0);
      const up = line === 0 ? 0 : (out[at - lineBytes] ?? 0);
      const corner = x < step || line === 0 ? 0 : (out[at - lineBytes - step] ?? 0);
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter] ?? 0;
      out[at] = (data[line * (lineBytes + 1) + 1 + x] ?? 0) + guess;
    }
  }
  return out;
}

function paeth(left: number, up: number, corner: number): number {
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/** Most of the places are for what there is most of, the others for what is rare and unlike all of that: a word in red. */
function paletteOf(pixels: Uint32Array): readonly number[] {
  const counts = new Map<number, number>();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const common = [...counts].sort(([, a], [, b]) => b - a).map(([colour]) => colour);
  const palette = common.slice(0, COMMON_COLOURS);
  for (const colour of common.slice(COMMON_COLOURS)) {
    if (palette.length === COLOURS) break;
    if (distanceOf(palette[nearest(palette, colour)] ?? 0, colour) > UNLIKE) palette.push(colour);
  }
  return palette;
}

function nearest(palette: readonly number[], colour: number): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  palette.forEach((each, index) => {
    const distance = distanceOf(each, colour);
    if (distance >= least) return;
    least = distance;
    best = index;
  });
  return best;
}

function distanceOf(one: number, other: number): number {
  const red = (one >> 16) - (other >> 16);
  const green = ((one >> 8) & 255) - ((other >> 8) & 255);
  const blue = (one & 255) - (other & 255);
  return red * red + green * green + blue * blue;
}

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}
