/** In which order upstreams are tried (dns-server 3.6, behaviour 2). An order holds every upstream exactly once. */
export const POLICIES = ['random', 'round_robin', 'sequential'] as const;
export type PolicyName = (typeof POLICIES)[number];

export type Policy = <T>(upstreams: readonly T[]) => readonly T[];

/** `random` is uniform in [0, 1). A policy keeps its place between calls, so each `forward` line makes its own. */
export function makePolicy(name: PolicyName, random: () => number): Policy {
  switch (name) {
    case 'sequential':
      return (upstreams) => upstreams;
    case 'random':
      return (upstreams) => shuffled(upstreams, random);
    case 'round_robin':
      return roundRobin();
  }
}

/** The first query starts with the second upstream; what follows the chosen one is in listed order. */
function roundRobin(): Policy {
  let turn = 0;
  return (upstreams) => {
    turn = (turn + 1) % Math.max(1, upstreams.length);
    const chosen = upstreams[turn];
    return chosen === undefined ? [] : [chosen, ...upstreams.filter((_, i) => i !== turn)];
  };
}

function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  if (items.length < 2) return items;
  const left = [...items];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(Math.floor(random() * left.length), 1));
  return order;
}
