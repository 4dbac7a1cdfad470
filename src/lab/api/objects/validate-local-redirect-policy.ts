/**
 * What the CRD's schema says about a CiliumLocalRedirectPolicy (spec 1.2): required fields, types, enums, exactly one
 * matcher, and three fields that may not change. Ports accept all of 1 to 65535, where upstream's pattern has holes;
 * unknown fields are kept. Rules beyond the schema are the agent's and are not repeated here.
 */
import { isDeepStrictEqual } from 'node:util';
import { type JsonRecord, recordOf } from '../../../kube/json-fields.ts';
import { parsePort } from '../../../net/port.ts';
import type { FieldCause } from '../api-refusal.ts';

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'];
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

/** `previous` is the spec before an update. An absent spec passes: the schema does not require one. */
export function validateLocalRedirectPolicy(spec: unknown, previous?: unknown): readonly FieldCause[] {
  const causes: FieldCause[] = [];
  if (spec !== undefined) checkSpec(field(spec, 'spec', causes));
  if (previous !== undefined && causes.length === 0)
    checkImmutable(recordOf(spec), recordOf(previous), causes);
  return causes;
}

/** A value with its path and the list that complaints about it go to. */
interface Field {
  readonly value: unknown;
  readonly path: string;
  readonly causes: FieldCause[];
}

function field(value: unknown, path: string, causes: FieldCause[]): Field {
  return { value, path, causes };
}

function checkSpec(spec: Field): void {
  const fields = object(spec);
  if (fields === undefined) return;
  optional(spec, 'description', 'string');
  optional(spec, 'skipRedirectFromBackend', 'boolean');
  const frontend = required(spec, 'redirectFrontend');
  if (frontend !== undefined) checkFrontend(frontend);
  const backend = required(spec, 'redirectBackend');
  if (backend !== undefined) checkBackend(backend);
}

function checkFrontend(frontend: Field): void {
  const fields = object(frontend);
  if (fields === undefined) return;
  const matchers = ['addressMatcher', 'serviceMatcher'].filter((name) => fields[name] !== undefined);
  for (const name of matchers) {
    const matcher = child(frontend, name);
    if (object(matcher) === undefined) continue;
    const words = name === 'addressMatcher' ? ['ip', 'toPorts'] : ['serviceName', 'namespace'];
    for (const word of words) {
      const part = required(matcher, word);
      if (part !== undefined && word !== 'toPorts') typed(part, 'string');
    }
    if (recordOf(matcher.value).toPorts !== undefined) checkPorts(child(matcher, 'toPorts'));
  }
  if (matchers.length === 1) return;
  const found = matchers.length === 0 ? 'none valid' : '2 valid alternatives';
  complain(
    frontend,
    `"" : ${JSON.stringify(frontend.path)} must validate one and only one schema (oneOf). Found ${found}`,
  );
}

function checkBackend(backend: Field): void {
  if (object(backend) === undefined) return;
  const selector = required(backend, 'localEndpointSelector');
  if (selector !== undefined) checkSelector(selector);
  const ports = required(backend, 'toPorts');
  if (ports !== undefined) checkPorts(ports);
}

function checkSelector(selector: Field): void {
  const fields = object(selector);
  if (fields === undefined) return;
  if (fields.matchLabels !== undefined) checkLabels(child(selector, 'matchLabels'));
  if (fields.matchExpressions === undefined) return;
  for (const expression of array(child(selector, 'matchExpressions'))) {
    if (object(expression) === undefined) continue;
    const key = required(expression, 'key');
    if (key !== undefined) typed(key, 'string');
    const operator = required(expression, 'operator');
    if (operator !== undefined) oneOf(operator, OPERATORS);
  }
}

function checkLabels(labels: Field): void {
  for (const name of Object.keys(object(labels) ?? {})) {
    const value = child(labels, name);
    if (!typed(value, 'string')) continue;
    const text = String(value.value);
    if (text.length > 63 || !LABEL_VALUE.test(text))
      complain(
        value,
        `${JSON.stringify(text)}: ${value.path} in body should match the form of a label value`,
      );
  }
}

function checkPorts(ports: Field): void {
  for (const port of array(ports)) {
    if (object(port) === undefined) continue;
    const number = required(port, 'port');
    if (number !== undefined && typed(number, 'string') && parsePort(String(number.value)) === undefined)
      complain(
        number,
        `${JSON.stringify(number.value)}: ${number.path} in body should be a decimal number from 1 to 65535`,
      );
    const protocol = required(port, 'protocol');
    if (protocol !== undefined) oneOf(protocol, ['TCP', 'UDP']);
    optional(port, 'name', 'string');
  }
}

function checkImmutable(spec: JsonRecord, previous: JsonRecord, causes: FieldCause[]): void {
  const fallback: JsonRecord = { skipRedirectFromBackend: false };
  for (const name of ['redirectFrontend', 'redirectBackend', 'skipRedirectFromBackend']) {
    const before = previous[name] ?? fallback[name];
    const after = spec[name] ?? fallback[name];
    if (before === undefined || isDeepStrictEqual(before, after)) continue;
    const type = name === 'skipRedirectFromBackend' ? String(after) : '"object"';
    complain(field(after, `spec.${name}`, causes), `${type}: ${name} is immutable`);
  }
}

function child(parent: Field, name: string): Field {
  return field(recordOf(parent.value)[name], `${parent.path}.${name}`, parent.causes);
}

function complain(at: Field, rest: string): void {
  at.causes.push({ reason: 'FieldValueInvalid', field: at.path, message: `Invalid value: ${rest}` });
}

function required(parent: Field, name: string): Field | undefined {
  const part = child(parent, name);
  if (part.value !== undefined && part.value !== null) return part;
  part.causes.push({ reason: 'FieldValueRequired', field: part.path, message: 'Required value' });
  return undefined;
}

function optional(parent: Field, name: string, type: 'string' | 'boolean'): void {
  const part = child(parent, name);
  if (part.value !== undefined) typed(part, type);
}

function typed(part: Field, type: 'string' | 'boolean' | 'object' | 'array'): boolean {
  const received = jsonType(part.value);
  if (received === type) return true;
  complain(
    part,
    `${JSON.stringify(received)}: ${part.path} in body must be of type ${type}: ${JSON.stringify(received)}`,
  );
  return false;
}

function object(part: Field): JsonRecord | undefined {
  return typed(part, 'object') ? recordOf(part.value) : undefined;
}

function array(part: Field): readonly Field[] {
  if (!typed(part, 'array')) return [];
  const items: readonly unknown[] = Array.isArray(part.value) ? part.value : [];
  return items.map((item, i) => field(item, `${part.path}[${i}]`, part.causes));
}

function oneOf(part: Field, allowed: readonly string[]): void {
  if (allowed.some((word) => word === part.value)) return;
  const list = allowed.map((word) => JSON.stringify(word)).join(', ');
  const message = `Unsupported value: ${JSON.stringify(part.value)}: supported values: ${list}`;
  part.causes.push({ reason: 'FieldValueNotSupported', field: part.path, message });
}

function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (value === null) return 'null';
  return typeof value === 'number' && Number.isInteger(value) ? 'integer' : typeof value;
}
