/** Durations as kubectl prints ages: two units at most, the second only where it still matters (`3d4h`, `15s`, `2m5s`). */
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** Negative ages, from clocks that disagree, count as none. */
export function formatAge(ageMs: number): string {
  if (Number.isNaN(ageMs)) return '<unknown>';
  const seconds = Math.max(0, Math.floor(ageMs / 1000));
  if (seconds < 2 * MINUTE) return `${seconds}s`;
  if (seconds < 10 * MINUTE) return pair(seconds, { unit: MINUTE, name: 'm' }, { unit: 1, name: 's' });
  if (seconds < 3 * HOUR) return `${Math.floor(seconds / MINUTE)}m`;
  if (seconds < 8 * HOUR) return pair(seconds, { unit: HOUR, name: 'h' }, { unit: MINUTE, name: 'm' });
  if (seconds < 2 * DAY) return `${Math.floor(seconds / HOUR)}h`;
  if (seconds < 8 * DAY) return pair(seconds, { unit: DAY, name: 'd' }, { unit: HOUR, name: 'h' });
  if (seconds < 2 * YEAR) return `${Math.floor(seconds / DAY)}d`;
  if (seconds < 8 * YEAR) return pair(seconds, { unit: YEAR, name: 'y' }, { unit: DAY, name: 'd' });
  return `${Math.floor(seconds / YEAR)}y`;
}

interface Unit {
  readonly unit: number;
  readonly name: string;
}

function pair(seconds: number, large: Unit, small: Unit): string {
  const rest = Math.floor((seconds % large.unit) / small.unit);
  const whole = `${Math.floor(seconds / large.unit)}${large.name}`;
  return rest === 0 ? whole : `${whole}${rest}${small.name}`;
}
