/** What the writer of status needs of a policy object, and of a lease with a node's report. Never throws. */
import { createHash } from 'node:crypto';
import { ok } from '../../fault/result.ts';
import { type Conversion, objectRow } from '../../kube/convert/conversion.ts';
import { itemsOf, recordOf, textOf } from '../../kube/json-fields.ts';
import type { ConditionJson } from './conditions.ts';
import type { NodeVoice } from './fold-reports.ts';
import { REPORT_ANNOTATION, readLease } from './lease.ts';
import { NODE_LEASE_SECONDS } from './node-lease.ts';
import { type PolicyReport, parseReport } from './node-report.ts';

export interface PolicyObject {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  /** status.conditions as it came, bounded. */
  readonly conditions: readonly ConditionJson[];
}

/** Nobody has more; what somebody else wrote without end is cut off here. */
const CONDITIONS_MAX = 32;

export function convertPolicyObject(object: unknown): Conversion<PolicyObject> {
  const identity = objectRow(object);
  if (!identity.ok) return identity;
  const { namespace, name, uid } = identity.value;
  const metadata = recordOf(recordOf(object).metadata);
  const { conditions } = recordOf(recordOf(object).status);
  return ok({
    namespace,
    name,
    uid,
    resourceVersion: textOf(metadata.resourceVersion) ?? '',
    generation: typeof metadata.generation === 'number' ? metadata.generation : 0,
    conditions: itemsOf(conditions).slice(0, CONDITIONS_MAX).map(recordOf),
  });
}

export interface NodeLease extends NodeVoice {
  /** A hash of the annotation: equal ones are equal reports. */
  readonly digest: string;
  readonly renewTime: string;
  /** How long after a renewal the node still counts. */
  readonly durationSeconds: number;
}

/** Gives undefined for leases whose annotation is no report. Equal entries of all leases it reads are one object. */
export function createNodeLeaseConverter(): (object: unknown) => Conversion<NodeLease> {
  const shared = new Map<string, PolicyReport>();
  return (object) => {
    const { annotations, renewTime, durationSeconds } = readLease(object);
    const text = annotations[REPORT_ANNOTATION] ?? '';
    const report = parseReport(text, shared);
    if (report === undefined) return ok(undefined);
    return ok({
      node: report.node,
      byUid: new Map(report.policies.map((policy) => [policy.uid, policy])),
      digest: createHash('sha256').update(text).digest('base64'),
      renewTime,
      durationSeconds: Math.max(durationSeconds, NODE_LEASE_SECONDS),
    });
  };
}
