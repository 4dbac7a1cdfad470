/**
 * From filter flags to FlowFilters (spec hubble 2.3). Flags about either end put their source form into one filter and their
 * destination form into another, directional flags go into both, equal filters are one. So far as the stock CLI, whose two
 * filters make `--pod X --port 53` mean pod and port on the same side, which shows nothing of what X asks: here it is the
 * conversation of X on port 53, whichever side has the port, in four filters. `sameSide` gives the stock CLI's two.
 */
import { fail, ok, type Result } from '../../fault/result.ts';
import type { FlowFilter } from '../api.ts';
import { FILTER_FIELDS } from '../filter/filter-fields.ts';
import { type FilterFlag, type FilterFlagSpec, filterFlagSpec } from './filter-flags.ts';
import { flagConflict, namespaceConflict } from './flag-conflicts.ts';

type MutableFilter = Record<string, readonly unknown[] | { readonly cel_expression: readonly string[] }>;

interface Draft {
  readonly left: MutableFilter;
  readonly right: MutableFilter;
  readonly ports: string[];
  readonly namespaces: Readonly<Record<'either' | 'source' | 'destination', string[]>>;
  readonly used: Set<string>;
}

export interface BuildOptions {
  readonly sameSide?: boolean;
}

/** The filters of one list, of flags that all stand under `--not` or all do not. */
export function buildFilters(
  flags: readonly FilterFlag[],
  { sameSide = false }: BuildOptions = {},
): Result<readonly FlowFilter[]> {
  if (flags.length === 0) return ok([]);
  const draft: Draft = {
    ...{ left: {}, right: {}, ports: [], used: new Set() },
    namespaces: { either: [], source: [], destination: [] },
  };
  for (const { name, value } of flags) {
    const spec = filterFlagSpec(name);
    if (spec === undefined) return refuse(`--${name} is no filter`);
    draft.used.add(name);
    const read = spec.read(value, name);
    if (!read.ok) return read;
    place(draft, spec, read.value);
  }
  const conflict = flagConflict(draft.used) ?? conflictOfNamespaces(draft);
  if (conflict !== undefined) return refuse(conflict);
  applyNamespaces(draft);
  return ok(withPorts(draft, sameSide).map(inWireOrder));
}

function refuse(reason: string): ReturnType<typeof fail> {
  return fail('FLOW_REQUEST_INVALID', undefined, reason);
}

function place(
  { left, right, ports, namespaces }: Draft,
  { place: at }: FilterFlagSpec,
  value: unknown,
): void {
  switch (at.kind) {
    case 'field':
      push(left, at.field, value);
      push(right, at.field, value);
      return;
    case 'either':
      push(left, at.source, value);
      push(right, at.destination, value);
      return;
    case 'port':
      ports.push(String(value));
      return;
    case 'namespace':
      namespaces[at.side].push(String(value));
      return;
    case 'expression':
      for (const filter of [left, right]) {
        const { experimental } = filter;
        const earlier =
          experimental !== undefined && 'cel_expression' in experimental ? experimental.cel_expression : [];
        filter.experimental = { cel_expression: [...earlier, String(value)] };
      }
  }
}

function push(filter: MutableFilter, field: string, value: unknown): void {
  const earlier = filter[field];
  filter[field] = Array.isArray(earlier) ? [...earlier, value] : [value];
}

function conflictOfNamespaces({ left, right, namespaces }: Draft): string | undefined {
  const { either, source, destination } = namespaces;
  return (
    namespaceConflict(left, 'source', [...either, ...source]) ??
    namespaceConflict(right, 'destination', [...either, ...destination])
  );
}

function applyNamespaces({ left, right, namespaces }: Draft): void {
  for (const filter of [left, right]) {
    qualify(filter, 'destination', namespaces.destination);
    qualify(filter, 'source', namespaces.source);
  }
  qualify(left, 'source', namespaces.either);
  qualify(right, 'destination', namespaces.either);
}

/** Bare names get the namespaces before them; without any name the namespaces stand for all their pods. */
function qualify(filter: MutableFilter, side: string, namespaces: readonly string[]): void {
  if (namespaces.length === 0) return;
  const [pod, service] = [`${side}_pod`, `${side}_service`];
  if (filter[pod] === undefined && filter[service] === undefined) filter[pod] = [''];
  for (const field of [pod, service]) {
    const names = filter[field];
    if (!Array.isArray(names)) continue;
    filter[field] = names.flatMap((name: string) =>
      name.includes('/') ? [name] : namespaces.map((space) => `${space}/${name}`),
    );
  }
}

function withPorts({ left, right, ports }: Draft, sameSide: boolean): readonly MutableFilter[] {
  const bases = JSON.stringify(left) === JSON.stringify(right) ? [left] : [left, right];
  if (ports.length === 0) return bases;
  if (sameSide)
    return [
      { ...left, source_port: ports },
      { ...right, destination_port: ports },
    ];
  return bases.flatMap((base) => [
    { ...base, source_port: ports },
    { ...base, destination_port: ports },
  ]);
}

/** By the numbers of the fields, as every client of protobuf writes them. */
function inWireOrder(filter: MutableFilter): FlowFilter {
  const fields = Object.keys(FILTER_FIELDS).filter((field) => filter[field] !== undefined);
  return Object.fromEntries(fields.map((field) => [field, filter[field]]));
}
