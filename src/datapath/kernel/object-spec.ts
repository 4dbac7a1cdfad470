/** What the compiler made of bpf/, as a value: nothing here is in the kernel. The generated module has this shape. */
export interface MapSpec {
  /** enum bpf_map_type */
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
}

export interface ProgramSpec {
  /** Base64 of 8-byte instructions. */
  readonly instructions: string;
  readonly relocations: readonly {
    readonly instruction: number;
    /** A map's name, or `.rodata` with an offset into it. */
    readonly map: string;
    readonly offset?: number;
  }[];
}

export interface ObjectSpec {
  /** SHA-256 over bpf/. */
  readonly sourceHash: string;
  readonly license: string;
  /** Base64 of the initial values of the constants. */
  readonly rodata: string;
  readonly globals: Readonly<Record<string, { readonly offset: number; readonly size: number }>>;
  readonly maps: Readonly<Record<string, MapSpec>>;
  readonly programs: Readonly<Record<string, ProgramSpec>>;
}
