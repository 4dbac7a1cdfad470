/**
 * Identity numbers as Hubble prints them (spec hubble 3.1). Ours are local: a hash of the label set into the pod range, so
 * that two nodes which see the same pods give the same numbers without talking to each other. On a collision the later
 * label set takes the next free number, which is the only case where nodes may differ.
 */
import { createHash } from 'node:crypto';
import type { PodRow } from '../cluster/rows.ts';

export const RESERVED_IDENTITIES = {
  unknown: 0,
  host: 1,
  world: 2,
  unmanaged: 3,
  health: 4,
  init: 5,
  'remote-node': 6,
  'kube-apiserver': 7,
  ingress: 8,
  'world-ipv4': 9,
  'world-ipv6': 10,
} as const;
export type ReservedIdentity = keyof typeof RESERVED_IDENTITIES;

export const RESERVED_WORDS: ReadonlyMap<number, string> = new Map(
  Object.entries(RESERVED_IDENTITIES).map(([word, number]) => [number, word]),
);

const FIRST_POD_IDENTITY = 256;
const LAST_POD_IDENTITY = 65535;
const SPAN = LAST_POD_IDENTITY - FIRST_POD_IDENTITY + 1;

/** Labels that differ between replicas or revisions of one workload; they would give each pod a number of its own. */
const PER_POD_LABELS = new Set([
  'pod-template-hash',
  'controller-revision-hash',
  'pod-template-generation',
  'statefulset.kubernetes.io/pod-name',
  'apps.kubernetes.io/pod-index',
  'batch.kubernetes.io/job-completion-index',
]);

/** `k8s:key=value`, sorted, with the namespace as a label; the set that decides the identity. */
export function identityLabels(pod: PodRow): readonly string[] {
  const labels = Object.entries(pod.labels)
    .filter(([key]) => !PER_POD_LABELS.has(key))
    .map(([key, value]) => `k8s:${key}=${value}`);
  return [...labels, `k8s:io.kubernetes.pod.namespace=${pod.namespace}`].sort();
}

export interface IdentityNumbers {
  numberOf(labels: readonly string[]): number;
  /** Forgets every label set that is not in `used`, so that the table cannot outgrow the cluster. */
  retain(used: ReadonlySet<string>): void;
}

/** The key of a label set in `retain`. */
export function labelSetKey(labels: readonly string[]): string {
  return labels.join('\n');
}

export function createIdentityNumbers(): IdentityNumbers {
  const numbers = new Map<string, number>();
  const taken = new Set<number>();
  return {
    numberOf(labels) {
      const key = labelSetKey(labels);
      const known = numbers.get(key);
      if (known !== undefined) return known;
      const start = createHash('sha256').update(key).digest().readUInt32BE(0) % SPAN;
      let step = 0;
      // With every number taken (65280 label sets) two sets share one: wrong only in what is printed.
      while (step < SPAN && taken.has(FIRST_POD_IDENTITY + ((start + step) % SPAN))) step++;
      const number = FIRST_POD_IDENTITY + ((start + step) % SPAN);
      numbers.set(key, number);
      taken.add(number);
      return number;
    },
    retain(used) {
      for (const [key, number] of numbers) {
        if (used.has(key)) continue;
        numbers.delete(key);
        taken.delete(number);
      }
    },
  };
}
