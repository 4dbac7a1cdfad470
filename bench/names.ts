/** The names asked: as many and as long as in the measurements this benchmark is compared with (userspace-udp 2). */
export const NAME_COUNT = 2_000;

/** Of ten names in a row: six have one address, two have three, one is an alias, one has no addresses. */
export type NameKind = 'one' | 'three' | 'alias' | 'none';
const KINDS: readonly NameKind[] = [
  'one',
  'one',
  'three',
  'one',
  'alias',
  'one',
  'one',
  'three',
  'one',
  'none',
];

export const ZONE = 'bench.example.';

/** About 35 bytes each. */
export function benchNames(): readonly string[] {
  return Array.from({ length: NAME_COUNT }, (_, i) => `svc-${String(i).padStart(5, '0')}.team.${ZONE}`);
}

/** The kind of the answer to a name of `benchNames`. */
export function kindOf(name: string): NameKind {
  return KINDS[Number(/^svc-(\d+)\./.exec(name)?.[1] ?? 0) % KINDS.length] ?? 'one';
}

/** In dnsperf's format. */
export function queryFile(): string {
  return `${benchNames()
    .map((name) => `${name} A`)
    .join('\n')}\n`;
}
