/**
 * Kubernetes label selectors. An empty selector matches every pod; a selector that cannot mean anything is refused
 * by `checkSelector` before anyone asks `selectorMatches`.
 */
import type { LabelExpression, LabelSelector } from '../cluster/rows.ts';

/** Cilium writes the source of a label before its key; Kubernetes keys hold no colon, so `k8s:` says nothing more. */
const SOURCE_PREFIX = 'k8s:';

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

/** The selector must have passed `checkSelector`. */
export function selectorMatches(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  return (
    Object.entries(selector.matchLabels).every(([key, value]) => labelValue(labels, key) === value) &&
    selector.matchExpressions.every((expression) => expressionMatches(expression, labels))
  );
}

/** `app=cache,tier in (a,b),!canary`, as kubectl writes selectors; `every pod` for the empty one. */
export function formatSelector(selector: LabelSelector): string {
  const clauses = [
    ...Object.entries(selector.matchLabels).map(([key, value]) => `${key}=${value}`),
    ...selector.matchExpressions.map(formatExpression),
  ].sort();
  return clauses.length === 0 ? 'every pod' : clauses.join(',');
}

/** NotIn and DoesNotExist also match where the label is absent. */
function expressionMatches(expression: LabelExpression, labels: Readonly<Record<string, string>>): boolean {
  const value = labelValue(labels, expression.key);
  switch (expression.operator) {
    case 'In':
      return value !== undefined && expression.values.includes(value);
    case 'NotIn':
      return value === undefined || !expression.values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}

function formatExpression({ key, operator, values }: LabelExpression): string {
  if (operator === 'Exists') return key;
  if (operator === 'DoesNotExist') return `!${key}`;
  return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
}

/** Labels come from the API: a label named like a method of Object must not be found on an object without it. */
function labelValue(labels: Readonly<Record<string, string>>, key: string): string | undefined {
  const plain = key.startsWith(SOURCE_PREFIX) ? key.slice(SOURCE_PREFIX.length) : key;
  return Object.hasOwn(labels, plain) ? labels[plain] : undefined;
}
