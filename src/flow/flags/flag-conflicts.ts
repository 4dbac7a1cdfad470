/** Filter flags that cannot stand together on one side of a request, as the stock CLI refuses them (spec hubble 2.3). */
import type { FlowFilter } from '../api.ts';

const SIDES = ['from', 'to'] as const;

/** Of each group one at most; several values of one flag are one. */
const EXCLUSIVE: readonly (readonly string[])[] = [
  ...SIDES.flatMap((side) => {
    const byName = [`${side}-fqdn`, `${side}-ip`, 'fqdn', 'ip'];
    const everywhere = ['namespace', 'all-namespaces'];
    return [
      [...byName, `${side}-pod`, 'pod'],
      [...byName, ...everywhere, ...everywhere.map((word) => `${side}-${word}`)],
      [`${side}-pod`, ...everywhere],
      [`${side}-service`, ...everywhere],
      ...['label', 'service', 'port', 'identity', 'workload'].map((word) => [word, `${side}-${word}`]),
    ];
  }),
  ['encrypted', 'unencrypted'],
];

export function flagConflict(used: ReadonlySet<string>): string | undefined {
  for (const group of EXCLUSIVE) {
    const [first, second] = group.filter((name) => used.has(name));
    if (second !== undefined) return `--${first} and --${second} cannot be combined`;
  }
  return undefined;
}

/** A name that says its namespace beside a flag that says another, or a pod and a service that cannot be at one end. */
export function namespaceConflict(
  filter: FlowFilter,
  side: 'source' | 'destination',
  namespaces: readonly string[],
): string | undefined {
  const pods = filter[`${side}_pod`] ?? [];
  const services = filter[`${side}_service`] ?? [];
  if (namespaces.length > 0 && !namespaces.includes('')) {
    const outside = [...pods, ...services].find(
      (name) => !namespaces.includes(spaceOf(name) ?? namespaces[0] ?? ''),
    );
    if (outside !== undefined)
      return `${JSON.stringify(outside)} is not in namespace ${namespaces.join(', ')}`;
  }
  const elsewhere = pods.find((pod) => {
    const space = spaceOf(pod);
    return space !== undefined && services.some((service) => spaceOf(service) !== space);
  });
  if (elsewhere === undefined || namespaces.length > 0) return undefined;
  return `the pod ${JSON.stringify(elsewhere)} is not in the namespace of the service`;
}

function spaceOf(name: string): string | undefined {
  const slash = name.indexOf('/');
  return slash <= 0 ? undefined : name.slice(0, slash);
}
