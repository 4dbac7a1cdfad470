/**
 * A scenario file: YAML documents in the order in which things happen. `kind: Scenario` opens it and names the node.
 * Kubernetes objects, as pasted from a cluster, are created or replaced; `kind: Delete` takes one away; `kind: Expect`
 * says what the table must be at that moment. `kind: Listed` says that a list has come in which the head calls `unlisted`.
 * Conversion is the agent's own, so that pasted means pasted.
 */
import { type Document, parseAllDocuments } from 'yaml';
import { objectKey } from '../../src/cluster/rows.ts';
import type { ClusterTables, KindName } from '../../src/cluster/snapshot.ts';
import { KIND_SOURCES } from '../../src/kube/convert/kind-sources.ts';
import { type Prefix, parsePrefix } from '../../src/net/prefix.ts';

export interface Scenario {
  /** What must hold, as a sentence. */
  readonly name: string;
  readonly nodeName: string;
  readonly addressAllowList: readonly Prefix[];
  readonly policyNamespaces: readonly string[];
  readonly allowServiceAddresses: boolean;
  readonly moments: readonly Moment[];
}

/** One `Expect` document and the objects that exist when it is read. */
export interface Moment {
  readonly tables: ClusterTables;
  readonly synced: ReadonlySet<KindName>;
  readonly expected: Expected;
  /** The document the expectation came from, for `UPDATE=1`. */
  readonly document: Document;
}

export interface Expected {
  readonly frontends: readonly string[];
  readonly policies: readonly string[];
  /** Whole texts of the two lists; compared only where the file has them. */
  readonly lrpList?: string;
  readonly serviceList?: string;
}

const KINDS: Readonly<Record<string, KindName>> = {
  Service: 'services',
  EndpointSlice: 'endpointSlices',
  Pod: 'pods',
  Node: 'nodes',
  Namespace: 'namespaces',
  CiliumLocalRedirectPolicy: 'localRedirectPolicies',
};

const LISTED: readonly KindName[] = Object.values(KINDS);

type Fields = Readonly<Record<string, unknown>>;

/** Throws a sentence that names the file and the document when the scenario itself is wrong. */
export function readScenario(
  file: string,
  text: string,
): { scenario: Scenario; documents: readonly Document[] } {
  const documents = [...parseAllDocuments(text)] as Document[];
  const tables = openTables();
  const moments: Moment[] = [];
  let head: Fields | undefined;
  const synced = new Set(LISTED);
  documents.forEach((document, index) => {
    const where = `document ${index + 1} of ${file}`;
    if (document.errors.length > 0) throw new Error(`Cannot read ${where}: ${document.errors[0]?.message}`);
    const fields = document.toJS() as Fields;
    if (fields.kind === 'Scenario') {
      head = fields;
      for (const kind of namesOf(fields.unlisted)) synced.delete(kind as KindName);
    } else if (fields.kind === 'Listed') synced.add(fields.list as KindName);
    else if (fields.kind === 'Expect')
      moments.push({ ...momentOf(fields, document, tables), synced: new Set(synced) });
    else if (fields.kind === 'Delete') remove(fields, tables, where);
    else put(fields, tables, where);
  });
  if (head === undefined || moments.length === 0)
    throw new Error(`Cannot use ${file}: no Scenario or no Expect`);
  return { scenario: { ...scenarioHead(head), moments }, documents };
}

type OpenTables = {
  [K in KindName]: Map<string, ClusterTables[K] extends ReadonlyMap<string, infer R> ? R : never>;
};

function openTables(): OpenTables {
  return {
    services: new Map(),
    endpointSlices: new Map(),
    pods: new Map(),
    nodes: new Map(),
    namespaces: new Map(),
    localRedirectPolicies: new Map(),
    serviceImports: new Map(),
    importedSlices: new Map(),
    networkPolicies: new Map(),
  };
}

function scenarioHead({ name, node, addressAllowList, policyNamespaces, allowServiceAddresses }: Fields) {
  return {
    name: String(name),
    nodeName: String(node),
    addressAllowList: namesOf(addressAllowList).flatMap((prefix) => parsePrefix(prefix) ?? []),
    policyNamespaces: namesOf(policyNamespaces),
    allowServiceAddresses: allowServiceAddresses === true,
  };
}

function namesOf(list: unknown): readonly string[] {
  return (list as readonly string[] | undefined) ?? [];
}

function momentOf(fields: Fields, document: Document, tables: OpenTables): Omit<Moment, 'synced'> {
  const copy = Object.fromEntries(
    Object.entries(tables).map(([kind, rows]) => [kind, new Map<string, unknown>(rows)]),
  );
  const { frontends, policies, lrpList, serviceList } = fields as unknown as Partial<Expected>;
  return {
    tables: copy as unknown as ClusterTables,
    expected: {
      frontends: frontends ?? [],
      policies: policies ?? [],
      ...(lrpList === undefined ? {} : { lrpList }),
      ...(serviceList === undefined ? {} : { serviceList }),
    },
    document,
  };
}

function kindOf(fields: Fields, where: string): KindName {
  const kind = KINDS[String(fields.kind)];
  if (kind === undefined) throw new Error(`Cannot use ${where}: received kind ${String(fields.kind)}`);
  return kind;
}

function put(fields: Fields, tables: OpenTables, where: string): void {
  const kind = kindOf(fields, where);
  const converted = KIND_SOURCES[kind].convert(fields);
  if (!converted.ok) throw new Error(`Cannot use ${where}: ${converted.reason}`);
  if (converted.value === undefined) return;
  (tables[kind] as Map<string, unknown>).set(objectKey(converted.value), converted.value);
}

/** `object: Pod kube-system/cache-a`. */
function remove(fields: Fields, tables: OpenTables, where: string): void {
  const [kind, key] = String(fields.object).split(' ');
  const rows = tables[kindOf({ kind }, where)] as Map<string, unknown>;
  if (!rows.delete(String(key))) throw new Error(`Cannot use ${where}: there is no ${String(fields.object)}`);
}
