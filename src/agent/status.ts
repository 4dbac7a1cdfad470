/** `GET /v1/status`: what the agent knows about itself, gathered when asked. */
import type { ClusterSnapshot, KindName } from '../cluster/snapshot.ts';
import type { Datapath, FallBackReason } from '../datapath/datapath.ts';
import type { SocketPathStatus, SocketReason } from '../datapath/socket/socket-status.ts';
import type { PacketLog } from '../flow/capture/packet-log.ts';
import type { Readable } from '../store/store.ts';
import type { PolicyLoop } from './policy-loop.ts';
import { realisations } from './realisation.ts';
import { PROGRAM_VERSION } from './version.ts';
import type { AgentStatus, SocketPathJson } from './wire.ts';

export interface StatusInput {
  readonly nodeName: string;
  readonly startedAtMs: number;
  /** Absent: no flows are recorded. */
  readonly packets: PacketLog | undefined;
  readonly datapath: Datapath;
  readonly snapshot: Readable<ClusterSnapshot>;
  readonly missing: Readable<ReadonlySet<KindName>>;
  /** Kinds that are watched. */
  readonly kinds: readonly KindName[];
  /** Those of them that cannot be followed now. */
  readonly failing: () => readonly KindName[];
  readonly loop: PolicyLoop;
  readonly followers: number;
}

export function describeStatus(input: StatusInput): AgentStatus {
  const { packets, datapath, loop } = input;
  const counters = datapath.counters();
  const synced = input.snapshot.get().synced;
  const missing = input.missing.get();
  const fellBack = Object.entries(counters.fellBack).map(([reason, count]) => [reason, String(count)]);
  return {
    name: 'zerohop',
    version: PROGRAM_VERSION,
    node: input.nodeName,
    pid: process.pid,
    startedAtMs: input.startedAtMs,
    synced: [...synced].sort(),
    missing: [...missing].sort(),
    waitingFor: input.kinds.filter((kind) => !synced.has(kind) && !missing.has(kind)).sort(),
    failing: input.failing(),
    policies: realisations(loop.table, datapath.frontends()),
    interfaces: datapath.interfaces(),
    counters: {
      redirected: String(counters.redirected),
      restored: String(counters.restored),
      fellBack: Object.fromEntries(fellBack) as Record<FallBackReason, string>,
      eventsLost: String(counters.eventsLost),
      answered: String(counters.answered),
      answersMissed: String(counters.answersMissed),
      answersTorn: String(counters.answersTorn),
    },
    flows: {
      recording: packets !== undefined,
      kept: packets?.flowsHeld ?? 0,
      capacity: packets?.capacity ?? 0,
      seen: packets?.flowsEver ?? 0,
      followers: input.followers,
      ...dropsUnseen(datapath),
    },
    ...(loop.lastError === undefined ? {} : { datapathError: loop.lastError }),
    socketPath: socketPathJson(datapath.socketPath()),
  };
}

/** Its first line: what a verifier has to say is in the log. */
function dropsUnseen(datapath: Datapath): Partial<AgentStatus['flows']> {
  const [problem] = datapath.drops().problem?.split('\n') ?? [];
  return problem === undefined ? {} : { dropsUnseen: problem };
}

function socketPathJson({ counters, ...rest }: SocketPathStatus): SocketPathJson {
  if (counters === undefined) return rest;
  const fellBack = Object.entries(counters.fellBack).map(([reason, count]) => [reason, String(count)]);
  return {
    ...rest,
    counters: {
      tcp: String(counters.tcp),
      connected: String(counters.connected),
      datagrams: String(counters.datagrams),
      restored: String(counters.restored),
      fellBack: Object.fromEntries(fellBack) as Record<SocketReason, string>,
    },
  };
}
