/**
 * Patches as kubectl sends them: JSON merge patch (RFC 7386) and the Kubernetes strategic merge patch, which merges
 * lists of objects by a key and carries directives beside the data ($patch, $setElementOrder, $retainKeys,
 * $deleteFromPrimitiveList). Inputs are never altered. Deliberately absent: JSON patch (RFC 6902).
 */
import { itemsOf, type JsonRecord, recordOf } from '../../../kube/json-fields.ts';

export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: Record<string, unknown> = { ...recordOf(target) };
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete result[field];
    else setOwn(result, field, mergePatch(result[field], value));
  }
  return result;
}

/** The keys by which the API's own types merge their lists; a list under any other field is replaced whole. */
const MERGE_KEYS: Readonly<Record<string, readonly string[]>> = {
  containers: ['name'],
  initContainers: ['name'],
  volumes: ['name'],
  env: ['name'],
  imagePullSecrets: ['name'],
  secrets: ['name'],
  volumeMounts: ['mountPath'],
  conditions: ['type'],
  addresses: ['type'],
  podIPs: ['ip'],
  hostAliases: ['ip'],
  ownerReferences: ['uid'],
};

export function strategicMergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  if (patch.$patch === 'replace') return withoutDirectives(patch);
  const result: Record<string, unknown> = retained(recordOf(target), patch.$retainKeys);
  for (const [field, value] of Object.entries(patch)) {
    if (field.startsWith('$')) applyListDirective(result, field, value);
    else if (value === null || recordOf(value).$patch === 'delete') delete result[field];
    else
      setOwn(
        result,
        field,
        mergedField({ field, order: patch[`$setElementOrder/${field}`] }, result[field], value),
      );
  }
  return result;
}

interface ListField {
  readonly field: string;
  readonly order: unknown;
}

function mergedField(list: ListField, before: unknown, value: unknown): unknown {
  if (!Array.isArray(value)) return strategicMergePatch(before, value);
  if (list.order !== undefined && !value.some(isObject)) return mergedPrimitives(before, value);
  const keys = mergeKeys(list, [...itemsOf(before), ...value]);
  if (keys === undefined) return value.map(withoutDirectives);
  return ordered(mergedList(itemsOf(before), value, keys), itemsOf(list.order), keys);
}

/** `ports` merge by `port` in a Service and by `containerPort` in a container; with the protocol, they are unique. */
function mergeKeys(list: ListField, items: readonly unknown[]): readonly string[] | undefined {
  if (list.field !== 'ports') return MERGE_KEYS[list.field];
  return items.some((item) => 'containerPort' in recordOf(item))
    ? ['containerPort', 'protocol']
    : ['port', 'protocol'];
}

function mergedList(
  before: readonly unknown[],
  patch: readonly unknown[],
  keys: readonly string[],
): readonly unknown[] {
  if (patch.some((item) => recordOf(item).$patch === 'replace'))
    return patch.filter((item) => recordOf(item).$patch !== 'replace');
  const result = [...before];
  for (const item of patch) {
    const index = result.findIndex((candidate) => sameKey(recordOf(candidate), recordOf(item), keys));
    if (recordOf(item).$patch === 'delete') {
      if (index >= 0) result.splice(index, 1);
    } else if (index >= 0) result[index] = strategicMergePatch(result[index], item);
    else result.push(withoutDirectives(item));
  }
  return result;
}

/** A key that one side leaves out does not tell them apart: kubectl deletes a port by its number alone. */
function sameKey(a: JsonRecord, b: JsonRecord, keys: readonly string[]): boolean {
  return keys.every(
    (key, i) => a[key] === b[key] || (i > 0 && (a[key] === undefined || b[key] === undefined)),
  );
}

function ordered(
  items: readonly unknown[],
  order: readonly unknown[],
  keys: readonly string[],
): readonly unknown[] {
  if (order.length === 0) return items;
  const rank = (item: unknown): number => {
    const index = order.findIndex((wanted) => sameKey(recordOf(wanted), recordOf(item), keys));
    return index < 0 ? order.length : index;
  };
  return [...items].sort((a, b) => rank(a) - rank(b));
}

function mergedPrimitives(before: unknown, value: readonly unknown[]): readonly unknown[] {
  return [...new Set([...itemsOf(before), ...value])];
}

function applyListDirective(result: Record<string, unknown>, directive: string, value: unknown): void {
  const [name, field = ''] = directive.split('/');
  const before = itemsOf(result[field]);
  if (name === '$deleteFromPrimitiveList')
    setOwn(
      result,
      field,
      before.filter((item) => !itemsOf(value).includes(item)),
    );
}

function retained(target: JsonRecord, keys: unknown): Record<string, unknown> {
  if (!Array.isArray(keys)) return { ...target };
  return Object.fromEntries(Object.entries(target).filter(([field]) => keys.includes(field)));
}

function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives);
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([field]) => !field.startsWith('$'));
  return Object.fromEntries(kept.map(([field, part]) => [field, withoutDirectives(part)]));
}

/** `__proto__` in somebody's JSON is a field like any other and must not become a prototype. */
function setOwn(target: Record<string, unknown>, field: string, value: unknown): void {
  Object.defineProperty(target, field, { value, enumerable: true, configurable: true, writable: true });
}

function isObject(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
