/**
 * Names pods of other nodes when a flow shows their address: the agent watches its own node's pods only. Each address is
 * asked for by itself, from the API server's cache, slowly, and kept for a while; whoever looks it up meanwhile goes on
 * without. What cannot be had stays unnamed.
 */
import type { PodRow } from '../cluster/rows.ts';
import type { KubeClient } from '../kube/client.ts';
import { convertPod } from '../kube/convert/convert-pod.ts';
import { itemsOf, recordOf } from '../kube/json-fields.ts';
import { limitClient } from '../kube/limited-client.ts';
import type { Ip } from '../net/ip.ts';
import type { Clock } from '../telemetry/clock.ts';

export interface RemotePods {
  /** What is known by now; the first look at an address asks for it. */
  find(address: Ip): PodRow | undefined;
  close(): void;
}

/** The server reads through all pods of its cache for each: a thousand agents must not keep it busy with that. */
const LIMITS = { perSecond: 1, burst: 10 };
const KNOWN_MAX = 2_048;
const WAITING_MAX = 64;
/** An address may have another pod soon after; a name that old is asked for again. */
const FRESH_MS = 120_000;

interface Answer {
  readonly pod: PodRow | undefined;
  readonly atMs: number;
}

/** `client` stays the caller's. */
export function createRemotePods(spec: { readonly client: KubeClient; readonly clock: Clock }): RemotePods {
  const { clock } = spec;
  const client = limitClient(spec.client, { limits: LIMITS, clock });
  const abort = new AbortController();
  const known = new Map<Ip, Answer>();
  const waiting = new Set<Ip>();
  let asking = false;

  async function ask(): Promise<void> {
    asking = true;
    for (const address of waiting) {
      const pod = await podAt(client, address, abort.signal).catch(() => undefined);
      waiting.delete(address);
      if (abort.signal.aborted) return;
      known.delete(address);
      known.set(address, { pod, atMs: clock.monotonicMs() });
      const [oldest] = known.keys();
      if (known.size > KNOWN_MAX && oldest !== undefined) known.delete(oldest);
    }
    asking = false;
  }

  return {
    find(address) {
      const answer = known.get(address);
      const fresh = answer !== undefined && clock.monotonicMs() - answer.atMs < FRESH_MS;
      if (!fresh && !abort.signal.aborted && waiting.size < WAITING_MAX) {
        waiting.add(address);
        if (!asking) void ask();
      }
      return answer?.pod;
    },
    close() {
      abort.abort();
      waiting.clear();
    },
  };
}

/** The one that runs, the newest of several; pods on the host's network have their node's address. */
async function podAt(client: KubeClient, address: Ip, signal: AbortSignal): Promise<PodRow | undefined> {
  const query = { fieldSelector: `status.podIP=${address}`, resourceVersion: 0 };
  const answer = await client.get('/api/v1/pods', query, signal);
  const pods = itemsOf(recordOf(answer).items).flatMap((item) => {
    const converted = convertPod(item);
    const pod = converted.ok ? converted.value : undefined;
    return pod === undefined || pod.hostNetwork || pod.phase === 'Succeeded' || pod.phase === 'Failed'
      ? []
      : [pod];
  });
  return pods.sort((a, b) => b.createdAtMs - a.createdAtMs)[0];
}
