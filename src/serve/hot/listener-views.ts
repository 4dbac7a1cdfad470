/**
 * What the answer map of the kernel tells the listeners of this process by. The kernel's rows say of a place, an address
 * and a port, which view its answers come from, and only the agent changes them, later or, while it is away, not at all. So
 * a view is for ever that of the same places: a listener that covers others after a reload has another one, and what was
 * said of a place can at worst lead to a view that is empty.
 */
import type { ListenerView } from '../../heartbeat/messages.ts';
import { type Ip, ipFamily } from '../../net/ip.ts';
import { type Port, toPort } from '../../net/port.ts';
import { isWildcard } from '../../server/udp.ts';
import type { BoundListener } from '../listener-set.ts';

/** The answer map has 16 bits for it, and a view is never another listener's while the process lives: later ones do without. */
export const MAX_VIEW = 65_535;

interface Asked extends BoundListener {
  readonly port: Port;
}

export class ListenerViews {
  /** By what is covered. */
  readonly #numbers = new Map<string, number>();
  /** By server. */
  #views: ReadonlyMap<string, number> = new Map();
  #told: readonly ListenerView[] = [];

  /** What is bound from now on, with real ports. */
  replace(bound: readonly BoundListener[]): void {
    const asked = bound.flatMap((listener) => {
      const port = toPort(listener.addresses[0]?.port ?? 0);
      return listener.plan.transport === 'dns' && port !== undefined ? [{ ...listener, port }] : [];
    });
    const views = new Map<string, number>();
    const told: ListenerView[] = [];
    for (const listener of asked) {
      const view = this.#numberOf(coverage(listener, asked));
      if (view === undefined) continue;
      const { plan, port } = listener;
      views.set(plan.server, view);
      told.push({ ...(plan.address && { address: plan.address }), port, view });
    }
    this.#views = views;
    // The places of one that is not told of would be taken for those of a wildcard.
    this.#told = told.length === asked.length ? told : told.filter((each) => !isEverywhere(each));
  }

  /** 1 to MAX_VIEW; undefined for what is not asked over UDP, and once there are no more numbers. */
  of(server: string): number | undefined {
    return this.#views.get(server);
  }

  /** For the agent. */
  get told(): readonly ListenerView[] {
    return this.#told;
  }

  #numberOf(covered: string): number | undefined {
    const known = this.#numbers.get(covered);
    if (known !== undefined || this.#numbers.size === MAX_VIEW) return known;
    this.#numbers.set(covered, this.#numbers.size + 1);
    return this.#numbers.size;
  }
}

function isEverywhere({ address }: { readonly address?: Ip | undefined }): boolean {
  return address === undefined || isWildcard(address);
}

/** Which places lead to it: its own, and of a wildcard all but those that others have on the port. */
function coverage({ plan: { address, server }, port }: Asked, asked: readonly Asked[]): string {
  const own = `${address ?? '*'} ${port}`;
  if (!isEverywhere({ address })) return own;
  const rivals = asked.filter(({ plan, port: at }) => at === port && plan.server !== server);
  const taken = rivals.flatMap(({ plan }) => plan.address ?? []);
  const family = address && ipFamily(address);
  return [own, ...taken.filter((each) => family === undefined || ipFamily(each) === family).sort()].join(' ');
}
