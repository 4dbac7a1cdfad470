/**
 * What the main thread and one packet thread see of each other without sending messages: a few words of shared memory.
 * Counters are written by the packet thread alone and only grow, modulo 2^32.
 */
export const STATE_WORDS = 64;

/** Grows with each command that is posted: the thread looks for messages only when it changes. */
export const COMMANDS = 0;
/** 1 from the moment a batch has been read until its replies are sent. */
export const BUSY = 1;
/** Batches so far. */
export const BATCHES = 2;
/** Packets that found the ring to the main thread full. */
export const OVERFLOWS = 3;
/** Query log entries that found it full. */
export const LOST_LOG_ENTRIES = 4;
/** Replies that the kernel would not take. */
export const UNSENT = 5;
/** Answers given without the main thread. */
export const ANSWERED = 6;
/** Where the thread is in its life: one of the four below. */
export const LIFE = 7;
export const STARTING = 0;
export const SERVING = 1;
/** It calls into nothing any more. */
export const ENDED = 2;
/** Its code is loaded, and it has not been told to begin. */
export const LOADED = 3;
/** From here on a bit per listener: its answers are told to the main thread, for the query log. */
export const LOGGED_LISTENERS = 32;
/** Of one process; those beyond are left to the main thread. */
export const MAX_LISTENERS = (STATE_WORDS - LOGGED_LISTENERS) * 32;

export function stateMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(STATE_WORDS * 4);
}

/** Those beyond `MAX_LISTENERS` are logged by the main thread anyway. */
export function setLogged(state: Int32Array, listener: number, isLogged: boolean): void {
  if (listener >= MAX_LISTENERS) return;
  const word = LOGGED_LISTENERS + (listener >> 5);
  if (isLogged) Atomics.or(state, word, 1 << (listener & 31));
  else Atomics.and(state, word, ~(1 << (listener & 31)));
}

export function isLogged(state: Int32Array, listener: number): boolean {
  return (((state[LOGGED_LISTENERS + (listener >> 5)] ?? 0) >>> (listener & 31)) & 1) === 1;
}
