/** Label and field selectors as they stand in queries; parsing refuses what the API server would refuse. */
import { itemsOf, recordOf } from '../../../kube/json-fields.ts';
import type { ApiObject } from '../api-object.ts';
import { badRequest } from '../api-refusal.ts';
import type { Resource } from '../resources.ts';

export type Matcher = (object: ApiObject) => boolean;

const LABEL_KEY = /^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$/;

/** Throws `ApiRefusal` 400. Empty text matches everything. */
export function parseLabelSelector(text: string): Matcher {
  const terms = splitTerms(text).map((term) => parseLabelTerm(term, text));
  return (object) => {
    const labels = recordOf(object.metadata.labels);
    return terms.every((matches) => matches(labels));
  };
}

type LabelTest = (labels: Readonly<Record<string, unknown>>) => boolean;

function parseLabelTerm(term: string, whole: string): LabelTest {
  const set = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(term);
  const equality = /^([^\s=!]+)\s*(==|=|!=)\s*(\S*)$/.exec(term);
  const presence = /^(!?)\s*([^\s=!]+)$/.exec(term);
  const key = (set?.[1] ?? equality?.[1] ?? presence?.[2] ?? '').trim();
  if (!LABEL_KEY.test(key)) throw badRequest(`unable to parse requirement: ${JSON.stringify(whole)}`);
  if (set !== null) {
    const values = (set[3] ?? '').split(',').map((value) => value.trim());
    const wanted = set[2] === 'in';
    return (labels) => (key in labels && values.includes(String(labels[key]))) === wanted;
  }
  if (equality !== null) {
    const value = equality[3] ?? '';
    return equality[2] === '!=' ? (labels) => labels[key] !== value : (labels) => labels[key] === value;
  }
  return presence?.[1] === '!' ? (labels) => !(key in labels) : (labels) => key in labels;
}

/** Commas inside parentheses do not separate. */
function splitTerms(text: string): readonly string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((term) => term.trim())
    .filter((term) => term !== '');
}

/** Throws `ApiRefusal` 400 for a field this kind cannot be selected by. Empty text matches everything. */
export function parseFieldSelector(text: string, resource: Resource): Matcher {
  const tests = splitTerms(text).map((term): Matcher => {
    const parts = /^([\w.[\]]+?)\s*(==|=|!=)\s*(.*)$/.exec(term);
    if (parts === null) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    const [, field = '', operator, value = ''] = parts;
    if (!['metadata.name', 'metadata.namespace', ...resource.selectableFields].includes(field))
      throw badRequest(`field label not supported: ${field}`);
    const path = field.split('.');
    return (object) => (fieldText(object, path) === value) === (operator !== '!=');
  });
  return (object) => tests.every((matches) => matches(object));
}

function fieldText(object: ApiObject, path: readonly string[]): string {
  let value: unknown = object;
  for (const step of path) value = recordOf(value)[step];
  return value === undefined || value === null || itemsOf(value).length > 0 ? '' : String(value);
}
