/**
 * Tells what the agent did by comparing what there is with what there was: pods it hangs at, frontends it redirects in the
 * kernel, policies and what they come to. What the kernel has not taken yet is looked at again until it has.
 */
import type { ClusterSnapshot } from '../../cluster/snapshot.ts';
import type { Datapath, FrontendRow, InterfaceRow } from '../../datapath/datapath.ts';
import { identityLabels } from '../../flow/identity.ts';
import type { PolicyState, ServiceTable } from '../../policy/table.ts';
import type { Readable } from '../../store/store.ts';
import { type Clock, type Timer, untilTick } from '../../telemetry/clock.ts';
import type { AgentEventLog } from './agent-event-log.ts';

export interface NodeEventsOptions {
  readonly log: AgentEventLog;
  readonly datapath: Pick<Datapath, 'frontends' | 'interfaces'>;
  readonly snapshot: Readable<ClusterSnapshot>;
  readonly clock: Clock;
}

/** While something is on its way into the kernel. */
const LOOK_MS = 1000;

export class NodeEvents {
  readonly #options: NodeEventsOptions;
  /** By what tells two of a kind apart; the text differs when something worth telling has changed. */
  readonly #policies = new Map<string, { readonly text: string; readonly state: PolicyState }>();
  readonly #frontends = new Map<number, string>();
  readonly #pods = new Map<string, InterfaceRow & { readonly labels: readonly string[] }>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: NodeEventsOptions) {
    this.#options = options;
    const { log } = options;
    log.add({ type: 'AGENT_STARTED', agent_start: { time: log.time() } });
  }

  /** Policies as they are from now on. */
  policies({ policies, generation }: ServiceTable): void {
    const { log } = this.#options;
    const now = new Map(policies.map((state) => [state.policy, state]));
    for (const [key, { state }] of this.#policies) {
      if (now.has(state.policy)) continue;
      this.#policies.delete(key);
      log.add({ type: 'POLICY_DELETED', policy_update: policyOf(state, generation) });
    }
    for (const state of policies) {
      const known = this.#policies.get(state.policy);
      // What did not change is the same object, but for an agent that only observes.
      if (known?.state === state) continue;
      const text = JSON.stringify(state);
      this.#policies.set(state.policy, { text, state });
      if (known?.text === text) continue;
      log.add({ type: 'POLICY_UPDATED', policy_update: policyOf(state, generation) });
    }
  }

  /** To be called when the kernel was brought to something new. */
  applied(): void {
    if (this.#isClosed) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    const isSettled = [this.#tellPods(), this.#tellFrontends()].every((settled) => settled);
    if (isSettled) return;
    const { clock } = this.#options;
    this.#timer = clock.after(untilTick(clock, LOOK_MS), () => this.applied());
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #tellPods(): boolean {
    const { log, datapath, snapshot } = this.#options;
    const rows = datapath.interfaces();
    const attached = rows.filter(({ status }) => status.state === 'done');
    // A pod may have several addresses; its interface is one.
    const now = new Map(attached.map((row) => [`${row.pod} ${row.ifindex}`, row]));
    const kept = new Set(rows.map((row) => `${row.pod} ${row.ifindex}`));
    for (const [key, row] of this.#pods) {
      if (kept.has(key)) continue;
      this.#pods.delete(key);
      log.add({ type: 'ENDPOINT_DELETED', endpoint_update: endpointOf(row, row.labels) });
    }
    for (const [key, row] of now) {
      if (this.#pods.has(key)) continue;
      const pod = snapshot.get().pods.get(row.pod);
      const labels = pod === undefined ? [] : identityLabels(pod);
      this.#pods.set(key, { ...row, labels });
      log.add({ type: 'ENDPOINT_CREATED', endpoint_update: endpointOf(row, labels) });
    }
    return attached.length === rows.length;
  }

  #tellFrontends(): boolean {
    const { log, datapath } = this.#options;
    const rows = datapath.frontends();
    const ids = new Set(rows.map(({ id }) => id));
    for (const id of this.#frontends.keys()) {
      if (ids.has(id)) continue;
      this.#frontends.delete(id);
      log.add({ type: 'SERVICE_DELETED', service_delete: { id } });
    }
    const done = rows.filter(({ status }) => status.state === 'done');
    for (const row of done) {
      const service = serviceOf(row);
      const text = JSON.stringify(service);
      if (this.#frontends.get(row.id) === text) continue;
      this.#frontends.set(row.id, text);
      log.add({ type: 'SERVICE_UPSERTED', service_upsert: service });
    }
    return done.length === rows.length;
  }
}

/** The labels that Cilium gives to what it makes of an object. */
function policyOf({ policy, frontends, uid }: PolicyState, generation: number) {
  const { namespace, name } = split(policy);
  return {
    labels: [
      'k8s:io.cilium.k8s.policy.derived-from=CiliumLocalRedirectPolicy',
      `k8s:io.cilium.k8s.policy.name=${name}`,
      `k8s:io.cilium.k8s.policy.namespace=${namespace}`,
      ...(uid === undefined ? [] : [`k8s:io.cilium.k8s.policy.uid=${uid}`]),
    ],
    revision: String(generation),
    rule_count: String(frontends.filter(({ type }) => type === 'LocalRedirect').length),
  };
}

/** The interface is what tells pods of a node apart to the kernel. */
function endpointOf({ pod, ifindex }: InterfaceRow, labels: readonly string[]) {
  const { namespace, name } = split(pod);
  return { id: String(ifindex), labels, pod_name: name, namespace };
}

function serviceOf({ id, frontend }: FrontendRow) {
  const place = ({ address, port }: { readonly address: string; readonly port: number }) => ({
    ip: address,
    port,
  });
  return {
    ...{ id, type: frontend.type, ...split(frontend.service) },
    frontend_address: place(frontend),
    backend_addresses: frontend.backends.map(place),
  };
}

function split(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
