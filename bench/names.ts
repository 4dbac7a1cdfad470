/**
 * What is asked. A pod with `ndots:5` asks for a name of fewer dots with each domain of its search list first, and for
 * both families each time: three names that do not exist, then the one that does.
 */
const NAME_COUNT = 500;
const SEARCH_LIST = ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local'];

/** What follows the first label of every name that exists. */
export const DOMAIN = 'shop.example.com';

/** The number in the first label says what the upstream answers: see `c/authority.c`. */
export function existingNames(): readonly string[] {
  return uniqueNames('api', NAME_COUNT);
}

/** `PREFIX-000000.shop.example.com` and so on; prefixes that differ give names that differ. */
export function uniqueNames(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${String(i).padStart(6, '0')}.${DOMAIN}`);
}

/** All a pod asks, in dnsperf's format: 2,000 names, each with A and AAAA; three quarters of the answers are NXDOMAIN. */
export function podQuestions(): string {
  return questions(
    existingNames().flatMap((name) => [...SEARCH_LIST.map((domain) => `${name}.${domain}`), name]),
    ['A', 'AAAA'],
  );
}

/** In dnsperf's format. */
export function questions(names: readonly string[], types: readonly string[]): string {
  return `${names.flatMap((name) => types.map((type) => `${name} ${type}`)).join('\n')}\n`;
}
