/** Lines for somebody who watches: what is being done, and how long it took. */
export interface Progress {
  /** Runs `work` and says when it is done; the time is wall time. */
  step<T>(text: string, work: () => Promise<T>): Promise<T>;
}

export function createProgress(write: (text: string) => void): Progress {
  return {
    async step(text, work) {
      const started = performance.now();
      const value = await work();
      write(`  ✓ ${text} (${formatSeconds(performance.now() - started)})\n`);
      return value;
    },
  };
}

export function formatSeconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
