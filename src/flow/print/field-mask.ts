/**
 * `--field-mask` of `-o json`: of each flow the named fields and nothing else (spec hubble 6.4). Servers may send more than
 * they are asked for, so it is done once more here. Whether a path exists, the server says.
 */
import type { Flow } from '../api.ts';

/** What compact, dict and table show of a flow: the stock client's own list, and what that leaves out and would need. */
export const DEFAULT_FIELD_MASK: readonly string[] = [
  ...[
    'time',
    'verdict',
    'ethernet',
    'IP',
    'l4',
    'Type',
    'node_name',
    'l7',
    'event_type',
    'is_reply',
    'Summary',
  ],
  ...['source', 'destination'].flatMap((end) => [
    ...['identity', 'namespace', 'pod_name'].map((field) => `${end}.${field}`),
    ...[`${end}_service`, `${end}_names`],
  ]),
  ...['sock_xlate_point', 'traffic_direction', 'policy_match_type'],
];

type Tree = Map<string, Tree>;

/** A path names a field with all that is in it: `l7.dns`, `source.pod_name`. */
export function createFlowMask(paths: readonly string[]): (flow: Flow) => Partial<Flow> {
  const tree: Tree = new Map();
  for (const path of paths) {
    let at = tree;
    for (const part of path.split('.')) {
      const below = at.get(part) ?? new Map();
      at.set(part, below);
      at = below;
    }
  }
  const whole = new Set(paths);
  return (flow) => pick(flow, tree, '', whole);
}

function pick(
  value: object,
  tree: Tree,
  prefix: string,
  whole: ReadonlySet<string>,
): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  for (const [name, below] of tree) {
    const path = `${prefix}${name}`;
    const inner: unknown = Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
    if (inner === undefined) continue;
    if (whole.has(path)) picked[name] = inner;
    else if (typeof inner === 'object' && inner !== null && !Array.isArray(inner)) {
      picked[name] = pick(inner, below, `${path}.`, whole);
    }
  }
  return picked;
}
