/**
 * The DNS sockets of the process. They outlive configurations: a listener whose address stays is told how to answer from
 * now on, so that no query is lost, and one that is no longer wanted answers what it has in hand before it closes.
 */
import type { Ip } from '../net/ip.ts';
import type { SocketAddress } from '../server/handler.ts';
import type { InheritedSockets } from '../server/inherited-sockets.ts';
import { type Listener, startListener } from '../server/listen.ts';
import type { ListenerConduct } from '../server/listener-options.ts';
import type { ServeObserver } from '../server/observer.ts';
import { isWildcard, type UdpTransport } from '../server/udp.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { ListenerPlan } from './plan/listener-plan.ts';

/** dns-server 1.8. */
export const STOP_GRACE_MS = 5000;

export interface ListenerSetSpec {
  readonly log: Log;
  readonly clock: Clock;
  readonly observer: (server: string) => ServeObserver;
  readonly udp: UdpTransport;
  /** What packet threads know a listener by. */
  readonly numberOf: (server: string) => number;
}

export interface BoundListener {
  readonly plan: ListenerPlan;
  /** With real ports. */
  readonly addresses: readonly SocketAddress[];
}

export interface PreparedListeners {
  /** Hands over the new conduct and closes what is no longer wanted; returns what is in force. */
  commit(): readonly BoundListener[];
  /** Closes what was opened. */
  abandon(): Promise<void>;
}

type ConductFor = (plan: ListenerPlan) => ListenerConduct;

export class ListenerSet {
  readonly #spec: ListenerSetSpec;
  readonly #open = new Map<string, Listener>();
  #isShared = false;

  constructor(spec: ListenerSetSpec) {
    this.#spec = spec;
  }

  /** Opens what is new, all or none; those serve at once. */
  async prepare(
    plans: readonly ListenerPlan[],
    conductFor: ConductFor,
    inherited?: InheritedSockets,
  ): Promise<PreparedListeners> {
    const opened = new Map<string, Listener>();
    // From sockets that another process goes on reading, this one may have read what that one will never see.
    const [graceMs, shared] = inherited === undefined ? [0, false] : [STOP_GRACE_MS, true];
    const abandon = async () => {
      await Promise.all([...opened.values()].map((listener) => listener.close(graceMs, { shared })));
    };
    try {
      for (const plan of plans) {
        const except = boundElsewhere(plan, plans);
        const key = listenerKey(plan, except);
        if (!this.#open.has(key)) {
          opened.set(
            key,
            await this.#start(plan, { ...conductFor(plan), except, ...(inherited && { inherited }) }),
          );
        }
      }
    } catch (error) {
      await abandon();
      throw error;
    }
    return { abandon, commit: () => this.#commit(plans, { opened, conductFor }) };
  }

  /** Whether another process has the same sockets, which are then left as they are when they close. */
  share(isShared: boolean): void {
    this.#isShared = isShared;
  }

  async close(): Promise<void> {
    const listeners = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(listeners.map((listener) => this.#close(listener)));
  }

  #close(listener: Listener): Promise<void> {
    return listener.close(STOP_GRACE_MS, { shared: this.#isShared });
  }

  #commit(
    plans: readonly ListenerPlan[],
    { opened, conductFor }: { opened: ReadonlyMap<string, Listener>; conductFor: ConductFor },
  ): readonly BoundListener[] {
    const wanted = new Map(plans.map((plan) => [listenerKey(plan, boundElsewhere(plan, plans)), plan]));
    for (const [key, listener] of this.#open) {
      if (wanted.has(key)) continue;
      this.#open.delete(key);
      void this.#close(listener);
    }
    for (const [key, plan] of wanted) this.#open.get(key)?.configure(conductFor(plan));
    for (const [key, listener] of opened) this.#open.set(key, listener);
    return [...wanted].map(([key, plan]) => ({ plan, addresses: this.#open.get(key)?.addresses ?? [] }));
  }

  #start(
    plan: ListenerPlan,
    options: ListenerConduct & { readonly except: readonly Ip[]; readonly inherited?: InheritedSockets },
  ): Promise<Listener> {
    const { log, clock, observer } = this.#spec;
    return startListener({
      ...options,
      ...(plan.address === undefined ? {} : { address: plan.address }),
      port: plan.port,
      server: plan.server,
      streamOnly: plan.transport === 'tls',
      sockets: plan.sockets,
      udp: this.#spec.udp,
      number: this.#spec.numberOf(plan.server),
      log,
      clock,
      observer: observer(plan.server),
    });
  }
}

/**
 * What a wildcard, `bind 0.0.0.0` included, must leave to others: it may have a socket of its own on every address, and the
 * kernel would deal packets out between two sockets on the same one.
 */
function boundElsewhere(plan: ListenerPlan, plans: readonly ListenerPlan[]): readonly Ip[] {
  if (plan.address !== undefined && !isWildcard(plan.address)) return [];
  const others = plans.filter(
    (other) => other !== plan && other.transport === plan.transport && other.port === plan.port,
  );
  return others.flatMap(({ address }) => address ?? []).sort();
}

/** Sockets are kept over a change only if they cover the same addresses, and are as many, after it. */
function listenerKey({ server, sockets }: ListenerPlan, except: readonly Ip[]): string {
  return [server, sockets, ...except].join(' ');
}
