/**
 * Who serves a backend in the node's own network, by cgroup, so that it is not made its own client: a cache on
 * 169.254.20.10 that asks the service it stands for would ask itself for ever. Of a pod its namespace says who it is; in
 * the node's namespace there are many processes, and each container has a cgroup of its own. Read from the sockets that
 * are bound to the backend's address. What is found in the root of all cgroups is left out: that may be anybody.
 */
import { type Ip, ipFamily, ipFromBytes } from '../../net/ip.ts';
import { PROTOCOL_NUMBERS } from '../../net/port.ts';
import { type BpfMap, u32Bytes } from '../../sys/bpf-map.ts';
import { type ServingSocket, servingSockets } from '../../sys/netlink/sock-diag.ts';
import { type Backend, decodeBackend } from '../kernel/abi.gen.ts';
import { encodeServer, encodeServerKey, MAX_SERVERS } from './socket-abi.gen.ts';

/** The kernel's number for the root of a hierarchy (kernfs). */
const ROOT_CGROUP = 1n;
const PRESENT = encodeServer({ known: 1 });

export interface ServerTableOptions {
  readonly servers: BpfMap;
  readonly backends: BpfMap;
}

export class ServerTable {
  readonly #options: ServerTableOptions;
  /** Keys by their bytes as text. */
  readonly #written = new Map<string, Uint8Array>();

  /** The maps stay the caller's. Reads what an earlier agent wrote. */
  constructor(options: ServerTableOptions) {
    this.#options = options;
    for (const key of options.servers.keys()) this.#written.set(nameOf(key), key);
  }

  /** Brings the table to what is bound now. Nothing is asked where no backend is in the node's own network. */
  write(): void {
    const own = this.#ownBackends();
    const sockets = own.length === 0 ? [] : servingSockets();
    const wanted = new Map<string, Uint8Array>();
    for (const backend of own) {
      for (const socket of serversOf(backend, sockets)) {
        if (socket.cgroupId <= ROOT_CGROUP) continue;
        const { address, port, protocol } = backend;
        const key = encodeServerKey({ cgroupId: socket.cgroupId, address, port, protocol });
        if (wanted.size < MAX_SERVERS) wanted.set(nameOf(key), key);
      }
    }
    this.#replace(wanted);
  }

  #ownBackends(): readonly Backend[] {
    const { backends } = this.#options;
    return backends.keys().flatMap((key) => {
      const value = backends.lookup(u32Bytes(new DataView(key.buffer).getUint32(0, true)));
      const backend = value === undefined ? undefined : decodeBackend(value);
      return backend === undefined || backend.netnsId >= 0 ? [] : [backend];
    });
  }

  #replace(wanted: ReadonlyMap<string, Uint8Array>): void {
    for (const [name, key] of [...this.#written]) {
      if (wanted.has(name)) continue;
      this.#options.servers.delete(key);
      this.#written.delete(name);
    }
    for (const [name, key] of wanted) {
      if (this.#written.has(name)) continue;
      this.#options.servers.update(key, PRESENT);
      this.#written.set(name, key);
    }
  }
}

/**
 * A socket that is bound to just this address takes its packets before one that is bound to all. So dnsmasq on
 * 0.0.0.0:53 is not taken for the cache on 169.254.20.10:53, but for the server once that is gone.
 */
function serversOf(backend: Backend, sockets: readonly ServingSocket[]): readonly ServingSocket[] {
  const address = ipFromBytes(backend.address);
  const matching = sockets.filter(
    ({ port, protocol }) =>
      port === backend.port && PROTOCOL_NUMBERS[protocol === 'tcp' ? 'TCP' : 'UDP'] === backend.protocol,
  );
  const exact = matching.filter((socket) => socket.address === address);
  return exact.length > 0 ? exact : matching.filter((socket) => takesAll(socket.address, address));
}

/** A socket of IPv6 that is bound to all addresses mostly takes IPv4, too. */
function takesAll(bound: Ip, address: Ip): boolean {
  return bound === '::' || (bound === '0.0.0.0' && ipFamily(address) === 4);
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString('hex');
}
