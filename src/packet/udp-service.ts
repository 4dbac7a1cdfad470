/**
 * UDP with a way round the chain: what `serve` asks of it, whether packet threads read or the main thread does
 * (`packet-transport.ts`, `main-thread-service.ts`).
 */
import type { BeatRow } from '../heartbeat/beat-map.ts';
import type { Arrival } from '../server/serve-query.ts';
import type { UdpTransport } from '../server/udp.ts';
import type { PacketAnswerer, PacketAnswererOptions, Seat } from '../wirecache/contract.ts';

/** What is answered from. */
export interface AnswerSource {
  /** URL of the module that `create` is the `createPacketAnswerer` of: threads load it themselves. */
  readonly module: string;
  readonly create: (shared: SharedArrayBuffer, options: PacketAnswererOptions) => PacketAnswerer;
  readonly shared: SharedArrayBuffer;
  /** Undefined when there is none left: then every packet is handed over. */
  openSeat(): Seat | undefined;
}

/** An answer that no chain gave, for those who log queries. */
export interface ShortcutAnswer {
  readonly arrival: Arrival;
  /** Of the answer cache. */
  readonly route: number;
  readonly reply: Uint8Array;
  readonly durationMs: number;
}

/** All of them only grow. */
export interface UdpCounts {
  /** Without the chain. */
  readonly answered: number;
  /** Queries dropped because the main thread did not keep up. */
  readonly overflows: number;
  readonly lostLogEntries: number;
  /** Replies that the kernel would not take. */
  readonly unsent: number;
}

export interface UdpService extends UdpTransport {
  /** Packet threads that have been started. */
  readonly threads: number;
  /** Which listeners' answers are told to `onAnswer`. */
  setLogged(listener: number, isLogged: boolean): void;
  /** Resolves when every answer that is being given at this moment has been sent. */
  passBatches(): Promise<void>;
  /** Has each packet thread tell there that it lives; resolves when none tells it where it did before. */
  useBeats(row: BeatRow): Promise<void>;
  counts(): UdpCounts;
  /** The sockets have been closed before. */
  close(): Promise<void>;
}
