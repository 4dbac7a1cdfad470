/** Names, paths and times of our Leases (coordination.k8s.io/v1), and the reading of them. */
import { createHash } from 'node:crypto';
import { type JsonRecord, recordOf, textOf, textRecordOf } from '../../kube/json-fields.ts';

/** Held by the agent that writes the status of policies. */
export const LEADER_LEASE = 'zerohop-status';
/** Marks the leases that carry a node's report. */
export const REPORT_LABEL = 'zerohop.io/lease';
export const REPORT_LABEL_VALUE = 'node-report';
export const REPORT_ANNOTATION = 'zerohop.io/policies';
/** On the leader's lease: `pruned` when the server drops the status of policies. */
export const STATUS_ANNOTATION = 'zerohop.io/policy-status';

const NAME_MAX = 253;

export function leasesPath(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
}

export function leasePath(namespace: string, name: string): string {
  return `${leasesPath(namespace)}/${encodeURIComponent(name)}`;
}

/** `zerohop-<node>`; where that would be the leader's, or too long, a hash stands for the node. */
export function nodeLeaseName(node: string): string {
  const name = `zerohop-${node}`;
  if (name !== LEADER_LEASE && name.length <= NAME_MAX) return name;
  return `zerohop-${createHash('sha256').update(node).digest('hex').slice(0, 32)}`;
}

/** RFC 3339 in microseconds, as meta/v1 MicroTime has it. */
export function formatMicroTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}

export interface LeaseRow {
  readonly resourceVersion: string;
  /** Empty when nobody holds it. */
  readonly holder: string;
  readonly durationSeconds: number;
  /** As written by the holder's clock, which is not ours: only compared for being another one. */
  readonly renewTime: string;
  readonly transitions: number;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Takes anything; what is missing or of another type is empty. */
export function readLease(object: unknown): LeaseRow {
  const metadata = recordOf(recordOf(object).metadata);
  const spec = recordOf(recordOf(object).spec);
  return {
    resourceVersion: textOf(metadata.resourceVersion) ?? '',
    holder: textOf(spec.holderIdentity) ?? '',
    durationSeconds: wholeNumber(spec.leaseDurationSeconds, 1, 3600) ?? 30,
    renewTime: textOf(spec.renewTime) ?? '',
    transitions: wholeNumber(spec.leaseTransitions, 0, Number.MAX_SAFE_INTEGER) ?? 0,
    annotations: textRecordOf(metadata.annotations),
  };
}

function wholeNumber(value: unknown, least: number, most: number): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
    ? value
    : undefined;
}

export interface LeaseDraft {
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly JsonRecord[];
  readonly spec: JsonRecord;
}

export function leaseObject({ spec, ...metadata }: LeaseDraft): JsonRecord {
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
}
