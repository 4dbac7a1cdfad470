/** Go's StampMilli, `Mar  3 10:00:00.042`, always in UTC: the stock CLI's default time format (spec hubble 2.2). */
import { parseTime } from './time.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Takes RFC 3339; a time that is absent or cannot be read is `N/A`. */
export function formatStampMilli(time: string): string {
  const ns = parseTime(time);
  if (ns === undefined) return 'N/A';
  const date = new Date(Number(ns / 1_000_000n));
  const day = String(date.getUTCDate()).padStart(2, ' ');
  return `${MONTHS[date.getUTCMonth()]} ${day} ${date.toISOString().slice(11, 23)}`;
}
