/** Times to live as zone files write them: `3600`, `1h30m`, `2W`. */

/** RFC 2181 section 8. */
export const MAX_TTL_SECONDS = 0x7fff_ffff;

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const TTL = /^(?:\d{1,10}|(?:\d{1,10}[smhdw])+)$/i;

/** Undefined for what is no time, or is beyond 2^31-1 seconds. */
export function parseTtl(text: string): number | undefined {
  if (!TTL.test(text)) return undefined;
  let total = 0;
  for (const [, digits, unit] of text.matchAll(/(\d+)(\D?)/g)) {
    total += Number(digits) * (SECONDS[(unit ?? '').toLowerCase()] ?? 1);
  }
  return total <= MAX_TTL_SECONDS ? total : undefined;
}
