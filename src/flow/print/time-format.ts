/** `--time-format` (spec hubble 2.2): Go's layouts under the stock CLI's names, always in UTC. */
import { formatStampMilli, formatTime, parseTime } from '../time.ts';

export const TIME_FORMATS = [
  'StampMilli',
  'YearMonthDay',
  'YearMonthDayHour',
  'YearMonthDayHourMinute',
  'RFC3339',
  'RFC3339Milli',
  'RFC3339Micro',
  'RFC3339Nano',
  'RFC1123Z',
] as const;
export type TimeFormat = (typeof TIME_FORMATS)[number];

/** In any case; undefined for no name of a layout. */
export function parseTimeFormat(text: string): TimeFormat | undefined {
  return TIME_FORMATS.find((name) => name.toLowerCase() === text.toLowerCase());
}

/** Fraction digits of the layouts that have some; zeros at their end are cut. */
const DIGITS: Readonly<Partial<Record<TimeFormat, number>>> = {
  RFC3339Milli: 3,
  RFC3339Micro: 6,
  RFC3339Nano: 9,
};

/** Takes RFC 3339; a time that is absent or cannot be read is `N/A`. */
export function formatTimestamp(time: string, format: TimeFormat = 'StampMilli'): string {
  if (format === 'StampMilli') return formatStampMilli(time);
  const ns = parseTime(time);
  if (ns === undefined) return 'N/A';
  const whole = formatTime(ns - (ns % 1_000_000_000n));
  switch (format) {
    case 'YearMonthDay':
      return whole.slice(0, 10);
    case 'YearMonthDayHour':
      return `${whole.slice(0, 13)}Z`;
    case 'YearMonthDayHourMinute':
      return `${whole.slice(0, 16)}Z`;
    case 'RFC1123Z':
      return `${new Date(whole).toUTCString().replace('GMT', '+0000')}`;
    default: {
      const fraction = String(ns % 1_000_000_000n)
        .padStart(9, '0')
        .slice(0, DIGITS[format] ?? 0);
      const shown = fraction.replace(/0+$/, '');
      return shown === '' ? whole : `${whole.slice(0, -1)}.${shown}Z`;
    }
  }
}
