/** Test support: a map without a kernel, which counts what is asked of it: each of these would be a system call. */
import type { MapEntries } from '../../sys/bpf-map.ts';

export class MemoryMap implements MapEntries {
  readonly #entries = new Map<string, Uint8Array>();
  /** Of an array every element is there from the start. */
  readonly #arrayValueBytes: number | undefined;
  calls = 0;

  constructor(arrayValueBytes?: number) {
    this.#arrayValueBytes = arrayValueBytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  lookup(key: Uint8Array): DataView | undefined {
    this.calls++;
    const value = this.#entries.get(Buffer.from(key).toString('hex'));
    if (value !== undefined) return new DataView(value.slice().buffer);
    return this.#arrayValueBytes === undefined
      ? undefined
      : new DataView(new ArrayBuffer(this.#arrayValueBytes));
  }

  update(key: Uint8Array, value: Uint8Array): void {
    this.calls++;
    this.#entries.set(Buffer.from(key).toString('hex'), value.slice());
  }

  delete(key: Uint8Array): boolean {
    this.calls++;
    return this.#entries.delete(Buffer.from(key).toString('hex'));
  }

  keys(): readonly Uint8Array[] {
    this.calls += this.#entries.size + 1;
    return [...this.#entries.keys()].map((key) => Uint8Array.from(Buffer.from(key, 'hex')));
  }
}
