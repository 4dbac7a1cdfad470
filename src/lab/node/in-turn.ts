/** Work on one thing one after the other, on different things side by side: a pod is not started while it is ended. */
export interface Turns {
  /** Runs `work` when everything asked for `key` before has ended, however it ended. */
  run(key: string, work: () => Promise<void>): Promise<void>;
}

export function createTurns(): Turns {
  const last = new Map<string, Promise<void>>();
  return {
    async run(key, work) {
      const before = last.get(key) ?? Promise.resolve();
      const turn = before.then(work, work);
      last.set(key, turn);
      try {
        await turn;
      } finally {
        if (last.get(key) === turn) last.delete(key);
      }
    },
  };
}
