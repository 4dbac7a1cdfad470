/** A client that tells of each request how it went, for metrics. It changes nothing about the requests. */
import type { Clock } from '../telemetry/clock.ts';
import { KubeAnswerError } from './answer-error.ts';
import type { KubeClient } from './client.ts';

export interface RequestReport {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** HTTP status as text, or `<error>` when there was no answer. A success is told as 200, 201 of a creation included. */
  readonly code: string;
  /** Until the whole answer was there; of a watch until it began. */
  readonly seconds: number;
}

/** `client` with `report` called after every request; closing it closes `client`. */
export function observeClient(
  client: KubeClient,
  { clock, report }: { clock: Clock; report: (request: RequestReport) => void },
): KubeClient {
  async function observed<T>(method: RequestReport['method'], ask: () => Promise<T>): Promise<T> {
    const startMs = clock.monotonicMs();
    const tell = (code: string): void =>
      report({ method, code, seconds: (clock.monotonicMs() - startMs) / 1000 });
    try {
      const answer = await ask();
      tell('200');
      return answer;
    } catch (error) {
      tell(error instanceof KubeAnswerError ? String(error.status) : '<error>');
      throw error;
    }
  }

  return {
    server: client.server,
    get: (path, query, signal) => observed('GET', () => client.get(path, query, signal)),
    create: (path, body) => observed('POST', () => client.create(path, body)),
    replace: (path, body) => observed('PUT', () => client.replace(path, body)),
    patch: (path, body, type) => observed('PATCH', () => client.patch(path, body, type)),
    delete: (path) => observed('DELETE', () => client.delete(path)),
    stream: (path, query, signal) => observed('GET', () => client.stream(path, query, signal)),
    close: () => client.close(),
  };
}
