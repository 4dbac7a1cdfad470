/** What is said between the main thread and a packet thread in messages: rare things only. */

/** A descriptor that a packet thread reads. Owned by the main thread. */
export interface ThreadSocket {
  /** Unique in the process for ever: a descriptor's number is used again. */
  readonly id: number;
  readonly fd: number;
  readonly family: 4 | 6;
  /** As the answer cache knows it, or `NO_LISTENER`. */
  readonly listener: number;
}

/** Of sockets whose packets are all handed over. */
export const NO_LISTENER = -1;

/** What a worker is started with. */
export interface WorkerEntry {
  readonly state: SharedArrayBuffer;
  /** URL of a module with `createPacketAnswerer`. */
  readonly answererModule: string | undefined;
}

/** Instead of `ThreadData`: nobody needs this worker. */
export const DISMISSED = 'dismissed';

/** The first message to a worker. */
export interface ThreadData {
  readonly ring: SharedArrayBuffer;
  readonly sockets: readonly ThreadSocket[];
  /** What `createPacketAnswerer` is called with; undefined: every packet is handed over. */
  readonly answerer: { readonly shared: SharedArrayBuffer; readonly seat: number } | undefined;
  /** Of the main thread. */
  readonly clockOffsetMs: number;
  /** How long a blocking read lasts at most. */
  readonly deafMs: number;
  /** Where it tells that it lives; undefined: nowhere. */
  readonly beatAt: bigint | undefined;
  /** Nice value: a thread begins with that of the one that starts it, which may have lowered itself since. */
  readonly priority: number;
}

/** Each is answered with its token once it has taken effect. */
export type Command =
  | { readonly do: 'open'; readonly token: number; readonly socket: ThreadSocket }
  /** Reads the socket until nothing is left, and goes on. */
  | { readonly do: 'drain'; readonly token: number; readonly id: number }
  /** Reads it until nothing is left, and never again. */
  | { readonly do: 'close'; readonly token: number; readonly id: number }
  /** Where it tells from now on that it lives, as `BeatWriter` takes it. */
  | { readonly do: 'beat'; readonly token: number; readonly beatAt: bigint }
  | { readonly do: 'stop'; readonly token: number };

/** A token, or `WAKE`: there is something in the ring. */
export type ThreadReport = number;
export const WAKE: ThreadReport = 0;
