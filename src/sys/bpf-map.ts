/** An open BPF map. Holds one file descriptor; keys and values are bytes, encoded by the generated ABI. */
import { availableParallelism } from 'node:os';
import { BPF_COMMAND, callBpf } from './bpf.ts';
import { checkCall } from './errors.ts';
import { openLibc } from './libc.ts';

const ENOENT = -2;

export interface BpfMapSpec {
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
}

/** What those who only read and write entries need of a map. */
export type MapEntries = Pick<BpfMap, 'lookup' | 'update' | 'delete' | 'keys'>;

export class BpfMap {
  readonly fd: number;
  readonly spec: BpfMapSpec;

  /** Takes ownership of `fd`. */
  constructor(fd: number, spec: BpfMapSpec) {
    this.fd = fd;
    this.spec = spec;
  }

  lookup(key: Uint8Array): DataView | undefined {
    const value = new Uint8Array(this.spec.valueSize);
    return this.#lookupInto(key, value) ? new DataView(value.buffer) : undefined;
  }

  /** Per-CPU maps: values one after another, each rounded up to 8 bytes. */
  lookupPerCpu(key: Uint8Array, possibleCpus: number): DataView | undefined {
    const value = new Uint8Array(Math.ceil(this.spec.valueSize / 8) * 8 * possibleCpus);
    return this.#lookupInto(key, value) ? new DataView(value.buffer) : undefined;
  }

  update(key: Uint8Array, value: Uint8Array): void {
    const result = callBpf(BPF_COMMAND.MAP_UPDATE_ELEM, { map_fd: this.fd, key, value });
    checkCall(`write map ${this.spec.name}`, result);
  }

  /** False when there was no such key. */
  delete(key: Uint8Array): boolean {
    const result = callBpf(BPF_COMMAND.MAP_DELETE_ELEM, { map_fd: this.fd, key });
    return result === ENOENT ? false : checkCall(`delete from map ${this.spec.name}`, result) === 0;
  }

  /** A snapshot of the keys; entries written meanwhile may be missed or seen twice. */
  keys(): readonly Uint8Array[] {
    const keys: Uint8Array[] = [];
    for (;;) {
      const next = new Uint8Array(this.spec.keySize);
      const last = keys.at(-1);
      const attr = { map_fd: this.fd, next_key: next, ...(last === undefined ? {} : { key: last }) };
      const result = callBpf(BPF_COMMAND.MAP_GET_NEXT_KEY, attr);
      if (result === ENOENT) return keys;
      checkCall(`list map ${this.spec.name}`, result);
      keys.push(next);
    }
  }

  close(): void {
    openLibc().close(this.fd);
  }

  #lookupInto(key: Uint8Array, value: Uint8Array): boolean {
    const result = callBpf(BPF_COMMAND.MAP_LOOKUP_ELEM, { map_fd: this.fd, key, value });
    return result !== ENOENT && checkCall(`read map ${this.spec.name}`, result) >= 0;
  }
}

/** How many values a per-CPU map has: CPUs that could be plugged in count as well. `text` is `0-3`, `0,2-5`, `0`. */
export function countPossibleCpus(text: string): number {
  const last = /(\d+)\s*$/.exec(text)?.[1];
  return last === undefined ? availableParallelism() : Number(last) + 1;
}

export function u32Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
