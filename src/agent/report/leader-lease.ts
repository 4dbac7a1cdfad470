/**
 * Which agent writes the status of policies: the holder of the Lease `zerohop-status`. Two may believe so for a moment
 * only where clocks run at different speeds, and then both write the same. Another one's lease is judged by our own
 * clock: it has expired when it did not change for as long as it says, however wrong the times in it are. Changes are
 * merge patches bound to a resourceVersion, so that of two who grab it at once one is told of a conflict.
 */
import { errorCode } from '../../fault/app-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { JsonRecord } from '../../kube/json-fields.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import {
  formatMicroTime,
  LEADER_LEASE,
  type LeaseRow,
  leaseObject,
  leasePath,
  leasesPath,
  readLease,
  STATUS_ANNOTATION,
} from './lease.ts';
import { repeat } from './repeat.ts';

export const LEADER_LEASE_SECONDS = 30;
const RENEW_MS = 10_000;
/** A holder that could not renew for this long stops by itself, before others may take over. */
const GIVE_UP_MS = 20_000;
/** Candidates look again when the lease could have expired, spread over this much. */
const SPREAD_MS = 5_000;
/** The last word when closing must not hold up the agent's end. */
const RELEASE_MS = 1_000;

export interface LeaderLeaseSpec {
  readonly client: KubeClient;
  readonly namespace: string;
  /** The node's name: an agent that starts again on its node goes on where the one before stopped. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Called on every change, with true after the lease was taken. */
  readonly onChange: (leading: boolean) => void;
}

export interface LeaderLease {
  leading(): boolean;
  /** Of the lease as it was last seen; undefined before. */
  holder(): string | undefined;
  /** What the holder says of the status of policies; set by `mark` of the holder. */
  mark(): string | undefined;
  setMark(mark: string | undefined): void;
  error(): string | undefined;
  /** Gives the lease back if it is ours; waits a second for that at most. */
  close(): Promise<void>;
}

interface Seen {
  readonly row: LeaseRow;
  /** Monotonic: when this state of the lease was first seen. */
  readonly sinceMs: number;
}

export function contendForLeadership(spec: LeaderLeaseSpec): LeaderLease {
  const { client, namespace, identity, clock, random, log, onChange } = spec;
  const path = leasePath(namespace, LEADER_LEASE);
  const abort = new AbortController();
  let seen: Seen | undefined;
  let leading = false;
  let renewedAtMs = Number.NEGATIVE_INFINITY;
  let mark: string | undefined;

  const setLeading = (now: boolean): void => {
    if (leading === now) return;
    leading = now;
    log.info(now ? 'writes the status of policies from now on' : 'no longer writes the status of policies');
    onChange(now);
  };
  const note = (object: unknown): LeaseRow => {
    const row = readLease(object);
    const same = seen?.row.holder === row.holder && seen.row.renewTime === row.renewTime;
    seen = { row, sinceMs: same && seen !== undefined ? seen.sinceMs : clock.monotonicMs() };
    return row;
  };
  const specFields = (row: LeaseRow | undefined): JsonRecord => {
    const now = formatMicroTime(clock.nowMs());
    const taken = row?.holder !== identity;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: LEADER_LEASE_SECONDS,
      renewTime: now,
      ...(taken ? { acquireTime: now, leaseTransitions: row === undefined ? 0 : row.transitions + 1 } : {}),
    };
  };
  const markFields = () => ({ annotations: { [STATUS_ANNOTATION]: mark ?? null } });

  async function take(row: LeaseRow): Promise<number> {
    const metadata = { resourceVersion: row.resourceVersion, ...markFields() };
    const startedMs = clock.monotonicMs();
    note(await client.patch(path, { metadata, spec: specFields(row) }));
    renewedAtMs = startedMs;
    setLeading(true);
    return RENEW_MS;
  }

  async function create(): Promise<number> {
    const startedMs = clock.monotonicMs();
    const draft = { namespace, name: LEADER_LEASE, spec: specFields(undefined) };
    note(await client.create(leasesPath(namespace), leaseObject(draft)));
    renewedAtMs = startedMs;
    setLeading(true);
    return RENEW_MS;
  }

  async function look(): Promise<number> {
    if (leading && seen !== undefined) return take(seen.row);
    const row = note(await client.get(path, {}, abort.signal));
    const expiresInMs = (seen?.sinceMs ?? 0) + row.durationSeconds * 1000 - clock.monotonicMs();
    const free = row.holder === '' || row.holder === identity || expiresInMs <= 0;
    if (free) return take(row);
    mark = row.annotations[STATUS_ANNOTATION];
    return expiresInMs + random() * SPREAD_MS;
  }

  const contender = repeat({
    what: `hold the lease ${namespace}/${LEADER_LEASE}`,
    ...{ clock, random, log, signal: abort.signal },
    async step() {
      try {
        return await look().catch((error: unknown) => {
          if (errorCode(error) !== 'KUBE_NOT_FOUND') throw error;
          return create();
        });
      } catch (error) {
        if (errorCode(error) !== 'KUBE_CONFLICT') throw error;
        // Somebody else was faster: what the lease says now decides.
        setLeading(false);
        return random() * SPREAD_MS;
      }
    },
  });
  const giveUp = (): void => {
    if (leading && clock.monotonicMs() - renewedAtMs >= GIVE_UP_MS) setLeading(false);
    if (!abort.signal.aborted) watchdog = clock.after(RELEASE_MS, giveUp);
  };
  let watchdog = clock.after(RELEASE_MS, giveUp);

  return {
    leading: () => leading,
    holder: () => (leading ? identity : seen?.row.holder),
    mark: () => mark,
    setMark(next) {
      if (next === mark) return;
      mark = next;
      contender.wake();
    },
    error: contender.error,
    async close() {
      abort.abort();
      watchdog.cancel();
      if (!leading || seen === undefined) return;
      setLeading(false);
      const metadata = { resourceVersion: seen.row.resourceVersion };
      const released = client
        .patch(path, { metadata, spec: { holderIdentity: '', leaseDurationSeconds: 1 } })
        // Others take over when it has expired.
        .catch(() => undefined);
      await Promise.race([
        released,
        new Promise((resolve) => clock.after(RELEASE_MS, () => resolve(undefined))),
      ]);
    },
  };
}
