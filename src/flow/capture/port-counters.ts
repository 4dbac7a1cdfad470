/**
 * Flows by the port they go to, in memory of fixed size: pods may send to any port, so only the first that are seen are kept
 * apart, and the rest is counted as one.
 */

/** Ports with a number of their own, of both protocols together. */
export const MOST_PORTS = 64;
/** Stands for all further ones; no flow has it. */
export const OTHER_PORT = 0;

export interface CountedPort {
  /** IANA's number. */
  readonly protocol: number;
  /** 1 to 65535, or `OTHER_PORT`. */
  readonly port: number;
}

const TCP = 6;
const UDP = 17;

export class PortCounters {
  /** Place of each port, 0 is that of all others: no branch and no search while packets come. */
  readonly #places = new Uint8Array(65536);
  readonly #ports = new Uint16Array(MOST_PORTS + 1);
  readonly #udp = new Float64Array(MOST_PORTS + 1);
  readonly #tcp = new Float64Array(MOST_PORTS + 1);
  #used = 0;

  add(protocol: number, port: number): void {
    let place = this.#places[port] ?? 0;
    if (place === 0 && this.#used < MOST_PORTS) {
      place = ++this.#used;
      this.#places[port] = place;
      this.#ports[place] = port;
    }
    const counts = protocol === TCP ? this.#tcp : this.#udp;
    counts[place] = (counts[place] ?? 0) + 1;
  }

  list(): readonly { readonly kind: CountedPort; readonly count: number }[] {
    const rows = (protocol: number, counts: Float64Array) =>
      Array.from(counts, (count, place) => ({
        kind: { protocol, port: this.#ports[place] ?? OTHER_PORT },
        count,
      }));
    return [...rows(UDP, this.#udp), ...rows(TCP, this.#tcp)].filter(({ count }) => count > 0);
  }
}
