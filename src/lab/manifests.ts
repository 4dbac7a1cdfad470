/** The lab's objects as they stand in `manifests/`: YAML as one would paste it from a cluster. */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { Manifest } from './api/object-store.ts';

const CLUSTER_FILES = ['cluster.yaml', 'coredns.yaml', 'node-local-dns.yaml', 'clients.yaml'] as const;

/** Everything the cluster begins with; a policy is not among it. */
export function clusterManifests(): readonly Manifest[] {
  return CLUSTER_FILES.flatMap(readManifests);
}

/** Objects of one file, in its order. The files are ours, so one that does not parse is our bug. */
export function readManifests(file: string): readonly Manifest[] {
  const text = readFileSync(new URL(`./manifests/${file}`, import.meta.url), 'utf8');
  return parseAllDocuments(text).map((document) => document.toJS({ maxAliasCount: 0 }) as Manifest);
}
