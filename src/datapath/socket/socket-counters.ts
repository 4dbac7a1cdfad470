/** What the socket programs counted: one value per CPU and number, summed when somebody asks. */
import { readFileSync } from 'node:fs';
import { type BpfMap, countPossibleCpus, u32Bytes } from '../../sys/bpf-map.ts';
import {
  REASON_NO_BACKEND,
  REASON_NO_HEARTBEAT,
  REASON_NO_SOCKET,
  REASON_PROBE_FAILED,
  REASON_SKIP,
} from '../kernel/abi.gen.ts';
import {
  SOCKET_FELL_BACK,
  SOCKET_REASON_MIXED,
  SOCKET_REASON_NO_MEMORY,
  SOCKET_REASON_UNSEEN,
  SOCKET_REDIRECTED_CONNECTED,
  SOCKET_REDIRECTED_DATAGRAM,
  SOCKET_REDIRECTED_TCP,
  SOCKET_RESTORED,
} from './socket-abi.gen.ts';
import type { SocketCounters, SocketReason } from './socket-status.ts';

const REASONS: Readonly<Record<SocketReason, number>> = {
  'no-backend': REASON_NO_BACKEND,
  'no-socket': REASON_NO_SOCKET,
  skip: REASON_SKIP,
  'no-heartbeat': REASON_NO_HEARTBEAT,
  'probe-failed': REASON_PROBE_FAILED,
  unseen: SOCKET_REASON_UNSEEN,
  mixed: SOCKET_REASON_MIXED,
  'no-memory': SOCKET_REASON_NO_MEMORY,
};

export class SocketCounterTable {
  readonly #map: BpfMap;
  readonly #cpus = countPossibleCpus(readFileSync('/sys/devices/system/cpu/possible', 'utf8'));

  /** The map stays the caller's. */
  constructor(map: BpfMap) {
    this.#map = map;
  }

  read(): SocketCounters {
    const fellBack = Object.entries(REASONS).map(([word, reason]) => [
      word,
      this.#sum(SOCKET_FELL_BACK + reason),
    ]);
    return {
      tcp: this.#sum(SOCKET_REDIRECTED_TCP),
      connected: this.#sum(SOCKET_REDIRECTED_CONNECTED),
      datagrams: this.#sum(SOCKET_REDIRECTED_DATAGRAM),
      restored: this.#sum(SOCKET_RESTORED),
      fellBack: Object.fromEntries(fellBack) as SocketCounters['fellBack'],
    };
  }

  #sum(index: number): bigint {
    const values = this.#map.lookupPerCpu(u32Bytes(index), this.#cpus);
    if (values === undefined) return 0n;
    let sum = 0n;
    for (let at = 0; at < values.byteLength; at += 8) sum += values.getBigUint64(at, true);
    return sum;
  }
}
