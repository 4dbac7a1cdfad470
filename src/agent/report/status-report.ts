/**
 * Tells the cluster how its policies fare, where people look: this node's part in a Lease, and, as the one agent that
 * leads, the conditions and events of all policies. It never touches the datapath and nothing waits for it: an API
 * server that is away, slow, or refuses costs a line in the log and a retry. Off means that nothing is written at all.
 */
import type { KubeClient } from '../../kube/client.ts';
import { limitClient } from '../../kube/limited-client.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { ReportStatus } from '../wire.ts';
import { EventSender } from './event-sender.ts';
import { contendForLeadership } from './leader-lease.ts';
import { publishNodeLease } from './node-lease.ts';
import type { NodeReport } from './node-report.ts';
import { StatusWriter } from './status-writer.ts';

export interface StatusReportSpec {
  /** Stays the caller's. */
  readonly client: KubeClient;
  /** The agent's own: POD_NAMESPACE, or kube-system. */
  readonly namespace: string;
  readonly nodeName: string;
  readonly nodeUid: () => string | undefined;
  /** Undefined until everything a report tells of has been listed once. */
  readonly report: () => NodeReport | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

export interface StatusReport {
  status(): ReportStatus;
  /** Gives leadership back; takes a second at most. */
  close(): Promise<void>;
}

/** All that one agent may write, however busy its cluster is. */
const LIMITS = { perSecond: 10, burst: 20 };
const PRUNED = 'pruned';

export function startStatusReport(spec: StatusReportSpec): StatusReport {
  const client = limitClient(spec.client, { limits: LIMITS, clock: spec.clock });
  const around = { ...spec, client };
  const abort = new AbortController();
  const events = new EventSender(around);
  const lease = publishNodeLease({ ...around, signal: abort.signal });
  let writer: StatusWriter | undefined;
  const leader = contendForLeadership({
    ...around,
    identity: spec.nodeName,
    onChange(leading) {
      writer?.close();
      writer = leading ? new StatusWriter({ ...around, events, onPruned }) : undefined;
    },
  });
  function onPruned(pruned: boolean): void {
    if (pruned === (leader.mark() === PRUNED)) return;
    leader.setMark(pruned ? PRUNED : undefined);
    if (pruned) {
      spec.log.warning(
        'the API server drops the status of CiliumLocalRedirectPolicies: their definition does not know conditions; events tell of them instead',
      );
    } else spec.log.info('the API server keeps the status of CiliumLocalRedirectPolicies now');
  }
  return {
    status() {
      const error = lease.error() ?? leader.error();
      const holder = leader.holder() ?? '';
      return {
        leading: leader.leading(),
        ...(holder === '' ? {} : { leader: holder }),
        ...(leader.mark() === PRUNED ? { statusPruned: true } : {}),
        ...(error === undefined ? {} : { error }),
      };
    },
    async close() {
      abort.abort();
      writer?.close();
      events.close();
      await leader.close();
    },
  };
}
