/**
 * Server-side printing (meta/v1 Table): kubectl shows the columns it is given, so what a user sees in a terminal is
 * decided here. Rows carry the object's metadata, from which kubectl takes the namespace column and label columns.
 */
import type { ApiObject } from '../api-object.ts';
import type { ResourceKind } from '../resources.ts';
import { type Column, columnsOf } from './table-columns.ts';

/** How much of the object a row carries: `includeObject` of the query. */
export type IncludeObject = 'Metadata' | 'Object' | 'None';

export interface TableSpec {
  readonly kind: ResourceKind;
  /** `v1` or `v1beta1` of meta.k8s.io. */
  readonly version: string;
  readonly include: IncludeObject;
  readonly nowMs: number;
}

/** The version of the Table that the client prefers over plain JSON; undefined when it wants plain JSON. */
export function acceptedTable(accept: string): string | undefined {
  for (const part of accept.split(',')) {
    const words = part.split(';').map((word) => word.trim());
    const group = words.includes('g=meta.k8s.io');
    const version = words.find((word) => word === 'v=v1' || word === 'v=v1beta1');
    if (words[0] === 'application/json' && words.includes('as=Table') && group && version !== undefined)
      return version.slice('v='.length);
    if (words.length === 1 && words[0] === 'application/json') return undefined;
  }
  return undefined;
}

/** `metadata` is the list's. */
export function formatTable(spec: TableSpec, objects: readonly ApiObject[], metadata: unknown): unknown {
  const columns = columnsOf(spec.kind);
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${spec.version}`,
    metadata,
    columnDefinitions: columns.map(definition),
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.cell(object, spec.nowMs)),
      object: included(object, spec),
    })),
  };
}

function definition(column: Column): unknown {
  const { name, wide = false } = column;
  return {
    name,
    type: 'string',
    format: name === 'Name' ? 'name' : '',
    description: name,
    priority: wide ? 1 : 0,
  };
}

function included(object: ApiObject, spec: TableSpec): unknown {
  switch (spec.include) {
    case 'Object':
      return object;
    case 'None':
      return null;
    case 'Metadata':
      return {
        kind: 'PartialObjectMetadata',
        apiVersion: `meta.k8s.io/${spec.version}`,
        metadata: object.metadata,
      };
  }
}
