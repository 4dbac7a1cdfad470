/**
 * Holds the newest value of something and tells those who watch. Readers take the value once and keep it; writers
 * replace it whole. Watchers are called synchronously, in the order they came, and a watcher that throws is our bug.
 */
export interface Readable<T> {
  get(): T;
  /** Calls `listener` after every replacement; returns the way to stop it. The current value is not replayed. */
  watch(listener: (value: T) => void): () => void;
}

export interface Store<T> extends Readable<T> {
  set(value: T): void;
}

export function createStore<T>(initial: T): Store<T> {
  let current = initial;
  const listeners = new Set<(value: T) => void>();
  return {
    get: () => current,
    set(value) {
      current = value;
      for (const listener of [...listeners]) listener(value);
    },
    watch(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}
