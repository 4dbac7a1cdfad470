/**
 * Which sockets a configuration needs and what is served on each (dns-server 1.5). Blocks that share an address and port
 * share a listener. Pure: reload compares two plans by their labels.
 */
import type { Name } from '../../dns/name.ts';
import { AppError } from '../../fault/app-error.ts';
import type { Ip } from '../../net/ip.ts';
import { formatAddressPort } from '../../net/port.ts';
import type { BlockPlan, Transport } from './block-plan.ts';

export interface ListenerMember {
  /** Index of the block in the Corefile. */
  readonly block: number;
  readonly zones: readonly Name[];
}

export interface ListenerPlan {
  readonly transport: Transport;
  /** Absent: the wildcard of both families. */
  readonly address?: Ip;
  readonly port: number;
  /** Metric label, and what makes two listeners the same: `dns://:53`, `tls://10.96.0.10:853`. */
  readonly server: string;
  readonly members: readonly ListenerMember[];
  /** Datagram sockets for each address. */
  readonly sockets: number;
}

export interface BoundBlock {
  readonly plan: BlockPlan;
  /** Empty: the wildcard. */
  readonly listenOn: readonly Ip[];
  /** With a view, a block may serve what others serve as well. */
  readonly hasView?: boolean;
  /** Default 1. */
  readonly sockets?: number;
}

/** In the order in which the blocks name them. Throws SERVE_ZONE_TWICE in CoreDNS's words. */
export function planListeners(blocks: readonly BoundBlock[]): readonly ListenerPlan[] {
  const listeners = new Map<string, ListenerPlan & { members: ListenerMember[]; sockets: number }>();
  const taken = new TakenZones();
  blocks.forEach(({ plan, listenOn, hasView, sockets = 1 }, block) => {
    for (const address of listenOn.length === 0 ? [undefined] : listenOn) {
      for (const { transport, zones, port } of plan.keys) {
        const place = { transport, port, address };
        if (!hasView) for (const zone of zones) taken.take(zone, place);
        const server = serverLabel(place);
        const listener = listeners.get(server) ?? {
          ...(address && { address }),
          transport,
          port,
          server,
          sockets,
          members: [],
        };
        listener.members.push({ block, zones });
        listener.sockets = Math.max(listener.sockets, sockets);
        listeners.set(server, listener);
      }
    }
  });
  const planned = [...listeners.values()];
  for (const plan of planned) refuseSharedPort(plan, planned);
  return planned;
}

/** Both listen on TCP: the kernel would deal clients out between the two, whatever they speak. */
function refuseSharedPort(plan: ListenerPlan, planned: readonly ListenerPlan[]): void {
  if (plan.port === 0) return;
  const rival = planned.find(
    ({ transport, port, address }) =>
      transport !== plan.transport && port === plan.port && address === plan.address,
  );
  if (rival === undefined) return;
  throw new AppError('SERVE_PORT_SHARED', `cannot serve ${plan.server} - ${rival.server} has the port`, {
    hint: 'DNS over TLS needs a port of its own: 853 is the usual one',
  });
}

interface Place {
  readonly transport: Transport;
  readonly port: number;
  /** Undefined: the wildcard. */
  readonly address: Ip | undefined;
}

export function serverLabel({ transport, port, address }: Place): string {
  return `${transport}://${address === undefined ? `:${port}` : formatAddressPort(address, port)}`;
}

class TakenZones {
  readonly #byZoneAndPort = new Map<string, (Ip | undefined)[]>();

  take(zone: Name, { transport, port, address }: Place): void {
    const key = `${transport}://${zone}:${port}`;
    const others = this.#byZoneAndPort.get(key) ?? [];
    const described = describe(key, address);
    if (others.includes(address)) throw zoneFault(`cannot serve ${described} - it is already defined`);
    const overlap = others.find((other) => address === undefined || other === undefined);
    if (others.length > 0 && (address === undefined || others.includes(undefined))) {
      const with_ = describe(key, overlap);
      throw zoneFault(`cannot serve ${described} - zone overlap listener capacity with ${with_}`);
    }
    this.#byZoneAndPort.set(key, [...others, address]);
  }
}

function describe(key: string, address: Ip | undefined): string {
  return `${key}${address === undefined ? '' : ` on ${address}`}`;
}

function zoneFault(text: string): AppError {
  return new AppError('SERVE_ZONE_TWICE', text, {
    hint: 'Join the blocks, or keep them apart by port or with bind',
  });
}
