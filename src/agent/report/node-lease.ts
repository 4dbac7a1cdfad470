/**
 * Publishes this node's report in its Lease: at once when it changed, and now and then to show that the agent lives. The
 * report is asked for once a second, which costs less than telling of every change, and written at most every two.
 * A merge patch, and a creation when there is nothing to patch: no verb but these two is needed.
 */
import { errorCode } from '../../fault/app-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { JsonRecord } from '../../kube/json-fields.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import {
  formatMicroTime,
  leaseObject,
  leasePath,
  leasesPath,
  nodeLeaseName,
  REPORT_ANNOTATION,
  REPORT_LABEL,
  REPORT_LABEL_VALUE,
} from './lease.ts';
import { formatReport, type NodeReport } from './node-report.ts';
import { type Repeated, repeat } from './repeat.ts';

/** A node whose lease was not renewed for this long no longer counts. */
export const NODE_LEASE_SECONDS = 120;
const RENEW_MS = 40_000;
const LOOK_MS = 1_000;
const WRITE_REST_MS = 2_000;

export interface NodeLeaseSpec {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly nodeName: string;
  /** metadata.uid of the Node once it is known: its lease goes with it. */
  readonly nodeUid: () => string | undefined;
  /** Undefined while there is nothing to say yet. */
  readonly report: () => NodeReport | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export function publishNodeLease(spec: NodeLeaseSpec): Repeated {
  const { clock, random, log, signal } = spec;
  let written: { readonly text: string; readonly atMs: number } | undefined;
  const step = async (): Promise<number> => {
    const report = spec.report();
    if (report === undefined) return LOOK_MS;
    const text = formatReport(report);
    const nowMs = clock.monotonicMs();
    if (written?.text === text && nowMs - written.atMs < RENEW_MS * (0.75 + random() / 4)) return LOOK_MS;
    await write(spec, text);
    written = { text, atMs: nowMs };
    return WRITE_REST_MS;
  };
  return repeat({ what: "publish this node's report in its lease", clock, random, log, signal, step });
}

async function write(spec: NodeLeaseSpec, text: string): Promise<void> {
  const { client, namespace, nodeName } = spec;
  const name = nodeLeaseName(nodeName);
  const change = {
    labels: { [REPORT_LABEL]: REPORT_LABEL_VALUE },
    annotations: { [REPORT_ANNOTATION]: text },
  };
  const fields = {
    holderIdentity: nodeName,
    leaseDurationSeconds: NODE_LEASE_SECONDS,
    renewTime: formatMicroTime(spec.clock.nowMs()),
  };
  try {
    await client.patch(leasePath(namespace, name), { metadata: change, spec: fields });
  } catch (error) {
    if (errorCode(error) !== 'KUBE_NOT_FOUND') throw error;
    await create(spec, { namespace, name, ...change, spec: { ...fields, acquireTime: fields.renewTime } });
  }
}

/**
 * With the Node as owner, so that the lease of a node that left the cluster is collected. Clusters that guard owner
 * references (OwnerReferencesPermissionEnforcement) refuse it to us: there the lease stays, stale, and counts no more.
 */
async function create(spec: NodeLeaseSpec, draft: Parameters<typeof leaseObject>[0]): Promise<void> {
  const { client, namespace } = spec;
  const owner = ownerOf(spec);
  try {
    await client.create(leasesPath(namespace), leaseObject({ ...draft, ...owner }));
  } catch (error) {
    if (errorCode(error) !== 'KUBE_FORBIDDEN' || owner.ownerReferences === undefined) throw error;
    await client.create(leasesPath(namespace), leaseObject(draft));
  }
}

function ownerOf({ nodeName, nodeUid }: NodeLeaseSpec): { ownerReferences?: readonly JsonRecord[] } {
  const uid = nodeUid();
  return uid === undefined
    ? {}
    : { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid }] };
}
