/**
 * A DNS message as values. `rcode` holds all twelve bits (RFC 6891 section 6.1.3), the OPT record is lifted out of the
 * additional section into `edns`, and rdata is uncompressed wire bytes: `rdata/` makes and reads it by family.
 */
import type { Name } from './name.ts';

export interface Question {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
}

export interface ResourceRecord {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
  /** Seconds, 0 to 2^31-1 (RFC 2181 section 8). */
  readonly ttlSeconds: number;
  /** Uncompressed: names inside are written out in full. Never changed after creation. */
  readonly rdata: Uint8Array;
}

export interface EdnsOption {
  readonly code: number;
  readonly data: Uint8Array;
}

export interface Edns {
  readonly version: number;
  /** As the sender wrote it, 0 to 65535; values below 512 mean 512. */
  readonly udpSize: number;
  readonly dnssecOk: boolean;
  readonly options: readonly EdnsOption[];
}

export interface Flags {
  readonly response: boolean;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  readonly zero: boolean;
  readonly authenticData: boolean;
  readonly checkingDisabled: boolean;
}

export interface Message {
  readonly id: number;
  readonly opcode: number;
  readonly rcode: number;
  readonly flags: Flags;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  /** Without the OPT record. */
  readonly additionals: readonly ResourceRecord[];
  readonly edns?: Edns;
}
