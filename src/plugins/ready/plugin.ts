/**
 * The answer to a readiness probe: whether every plugin that has an opinion is ready (dns-server 3.3). The opinions come
 * from outside, by plugin name.
 */
import type { HttpAnswer } from '../contract.ts';

export interface ReadyOptions {
  readonly readiness: () => ReadonlyMap<string, boolean>;
  /** Ask those again that were ready before. */
  readonly continuously: boolean;
  /** Gets the text to log. */
  readonly onNotReady: (text: string) => void;
}

export interface ReadyProbe {
  readonly answer: HttpAnswer;
  /** From now on the answer is no: the server is going down. */
  readonly shutDown: () => void;
}

export function createReadyProbe({ readiness, continuously, onNotReady }: ReadyOptions): ReadyProbe {
  const wasReady = new Set<string>();
  let shuttingDown = false;

  const lacking = (): string[] => {
    const names: string[] = [];
    for (const [name, ready] of readiness()) {
      if (ready) wasReady.add(name);
      else if (continuously || !wasReady.has(name)) names.push(name);
    }
    return names.sort();
  };

  return {
    answer: () => {
      if (shuttingDown) return { status: 503, body: 'Shutting down' };
      const names = lacking();
      if (names.length === 0) return { status: 200, body: 'OK' };
      onNotReady(`Plugins not ready: ${JSON.stringify(names.join(','))}`);
      return { status: 503, body: names.join(',') };
    },
    shutDown() {
      shuttingDown = true;
    },
  };
}
