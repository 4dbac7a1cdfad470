/**
 * Kubernetes label selectors. An empty selector matches every pod; a selector that cannot mean anything is refused
 * by `checkSelector` before anyone asks `compileSelector`.
 */
import type { LabelExpression, LabelSelector } from '../cluster/rows.ts';

/** Cilium writes the source of a label before its key; Kubernetes keys hold no colon, so `k8s:` says nothing more. */
const SOURCE_PREFIX = 'k8s:';

/** Stands for an absent label in a list of values; no label value holds a line end. */
const NO_VALUE = '\n';

const OPERATORS_WITH_VALUES: readonly string[] = ['In', 'NotIn'];
const OPERATORS_WITHOUT_VALUES: readonly string[] = ['Exists', 'DoesNotExist'];

/** What is wrong with the selector, as one clause; nothing if it can be used. */
export function checkSelector(selector: LabelSelector): string | undefined {
  for (const { key, operator, values } of selector.matchExpressions) {
    const label = JSON.stringify(key);
    if (OPERATORS_WITH_VALUES.includes(operator)) {
      if (values.length === 0) return `operator ${operator} on label ${label} needs at least one value`;
    } else if (OPERATORS_WITHOUT_VALUES.includes(operator)) {
      if (values.length > 0) return `operator ${operator} on label ${label} takes no values`;
    } else {
      return `operator ${JSON.stringify(operator)} on label ${label} is not In, NotIn, Exists or DoesNotExist`;
    }
  }
  return undefined;
}

export type LabelTest = (labels: Readonly<Record<string, string>>) => boolean;

/** The selector must have passed `checkSelector`. Made once per policy, because it is asked for every pod of a node. */
export function compileSelector(selector: LabelSelector): LabelTest {
  const tests: readonly LabelTest[] = [
    ...Object.entries(selector.matchLabels).map(([key, value]) => {
      const plain = plainKey(key);
      return (labels: Readonly<Record<string, string>>) => labelValue(labels, plain) === value;
    }),
    ...selector.matchExpressions.map(compileExpression),
  ];
  return (labels) => tests.every((test) => test(labels));
}

/** `app=cache,tier in (a,b),!canary`, as kubectl writes selectors; `every pod` for the empty one. */
export function formatSelector(selector: LabelSelector): string {
  const clauses = [
    ...Object.entries(selector.matchLabels).map(([key, value]) => `${key}=${value}`),
    ...selector.matchExpressions.map(formatExpression),
  ].sort();
  return clauses.length === 0 ? 'every pod' : clauses.join(',');
}

/**
 * What is wrong with one label if that is all that keeps the selector from matching, as one clause about a pod. A label
 * that the pod lacks altogether counts only if another one matches: else every pod would come near.
 */
export function labelTrouble(
  selector: LabelSelector,
  labels: Readonly<Record<string, string>>,
): string | undefined {
  const requirements = [
    ...Object.entries(selector.matchLabels).map(([key, value]) => ({ key, operator: 'In', values: [value] })),
    ...selector.matchExpressions,
  ];
  const failed = requirements.filter((requirement) => !compileExpression(requirement)(labels));
  const [first, second] = failed;
  if (first === undefined || second !== undefined) return undefined;
  const key = plainKey(first.key);
  const value = labelValue(labels, key);
  if (value === undefined) return requirements.length > 1 ? `has no label ${key}` : undefined;
  return `has ${key}=${value}`;
}

/** NotIn and DoesNotExist also match where the label is absent. */
function compileExpression({ key, operator, values }: LabelExpression): LabelTest {
  const plain = plainKey(key);
  switch (operator) {
    case 'In':
      return (labels) => values.includes(labelValue(labels, plain) ?? NO_VALUE);
    case 'NotIn':
      return (labels) => !values.includes(labelValue(labels, plain) ?? NO_VALUE);
    case 'Exists':
      return (labels) => labelValue(labels, plain) !== undefined;
    case 'DoesNotExist':
      return (labels) => labelValue(labels, plain) === undefined;
    default:
      return () => false;
  }
}

function formatExpression({ key, operator, values }: LabelExpression): string {
  if (operator === 'Exists') return key;
  if (operator === 'DoesNotExist') return `!${key}`;
  return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
}

function plainKey(key: string): string {
  return key.startsWith(SOURCE_PREFIX) ? key.slice(SOURCE_PREFIX.length) : key;
}

/** Labels come from the API: a label named like a method of Object must not be found on an object without it. */
function labelValue(labels: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
