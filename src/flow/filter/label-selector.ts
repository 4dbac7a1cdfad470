/**
 * Kubernetes label selectors on a flow's labels (`k8s:key=value`, `reserved:world`): `key`, `!key`, `key=v`, `key==v`,
 * `key!=v`, `key in (a,b)`, `key notin (a,b)`, `key>5`, `key<5`, joined by commas. A key without a source prefix, or with
 * `any:`, means any source.
 */
import { fail, ok, type Result } from '../../fault/result.ts';

export type LabelPredicate = (labels: readonly string[]) => boolean;

const KEY = '[A-Za-z0-9_./:-]+';
const SET = new RegExp(`^(${KEY})\\s+(in|notin)\\s+\\(([^()]*)\\)$`);
const EQUALITY = new RegExp(`^(${KEY})\\s*(==|=|!=)\\s*([A-Za-z0-9_.-]*)$`);
const ORDER = new RegExp(`^(${KEY})\\s*([<>])\\s*([0-9]{1,15})$`);
const EXISTENCE = new RegExp(`^(!?)\\s*(${KEY})$`);

export function compileLabelSelector(selector: string): Result<LabelPredicate> {
  const predicates: LabelPredicate[] = [];
  for (const part of splitOutsideParentheses(selector)) {
    const predicate = compileRequirement(part.trim());
    if (predicate === undefined) {
      return fail(
        'FLOW_FILTER_INVALID',
        undefined,
        `cannot read the label requirement ${JSON.stringify(part)}`,
      );
    }
    predicates.push(predicate);
  }
  return ok((labels) => predicates.every((matches) => matches(labels)));
}

function compileRequirement(text: string): LabelPredicate | undefined {
  const set = SET.exec(text);
  if (set !== null) {
    const [, key = '', operator, list = ''] = set;
    return requirement(
      key,
      list.split(',').map((value) => value.trim()),
      operator === 'notin',
    );
  }
  const equality = EQUALITY.exec(text);
  if (equality !== null) {
    const [, key = '', operator, value = ''] = equality;
    return requirement(key, [value], operator === '!=');
  }
  const order = ORDER.exec(text);
  if (order !== null) {
    const [, key = '', operator, bound = ''] = order;
    return ordered(key, operator === '>', Number(bound));
  }
  const existence = EXISTENCE.exec(text);
  if (existence === null) return undefined;
  const [, not, key = ''] = existence;
  return (labels) => (labelValue(labels, key) === undefined) === (not === '!');
}

/** As in Kubernetes, an absent key satisfies `!=` and `notin`. */
function requirement(key: string, values: readonly string[], negated: boolean): LabelPredicate {
  return (labels) => {
    const value = labelValue(labels, key);
    return (value !== undefined && values.includes(value)) !== negated;
  };
}

/** Only whole numbers have an order; any other value, and none, is on neither side. */
function ordered(key: string, above: boolean, bound: number): LabelPredicate {
  return (labels) => {
    const value = labelValue(labels, key) ?? '';
    if (!/^-?[0-9]{1,15}$/.test(value)) return false;
    return above ? Number(value) > bound : Number(value) < bound;
  };
}

/** `reserved:world` is a key without a value. */
function labelValue(labels: readonly string[], asked: string): string | undefined {
  const key = asked.startsWith('any:') ? asked.slice('any:'.length) : asked;
  for (const label of labels) {
    const equals = label.indexOf('=');
    const name = equals < 0 ? label : label.slice(0, equals);
    const bare = name.slice(name.indexOf(':') + 1);
    if (name === key || bare === key) return equals < 0 ? '' : label.slice(equals + 1);
  }
  return undefined;
}

function splitOutsideParentheses(text: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')') depth--;
    else if (text[i] === ',' && depth === 0) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}
