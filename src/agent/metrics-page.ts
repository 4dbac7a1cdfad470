/**
 * The agent's metrics for a scraper, over plain HTTP on an address that the operator gives: what its flows are counted as,
 * what its programs did, what the process uses. Made at each scrape and bounded, whoever asks and however often.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import { AppError, errorText } from '../fault/app-error.ts';
import { formatListenAddress, type ListenAddress } from '../net/listen-address.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { FamilySamples } from '../telemetry/registry.ts';
import type { AgentErrorCode } from './errors.ts';

export interface MetricsPageOptions {
  readonly address: ListenAddress;
  readonly families: () => readonly FamilySamples[];
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Pick<Log, 'error'>;
}

export interface MetricsPage {
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 64;
const TIMEOUT_MS = 10_000;
/** A page is given again for so long. */
const FRESH_MS = 250;
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Throws `AppError` AGENT_METRICS_UNUSABLE. */
export async function startMetricsPage(options: MetricsPageOptions): Promise<MetricsPage> {
  const text = pageOf(options);
  const server = createServer({ requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS });
  server.maxConnections = MAX_CONNECTIONS;
  server.keepAliveTimeout = TIMEOUT_MS;
  server.on('request', (request, response) => {
    const path = (request.url ?? '/').replace(/[?#].*$/s, '');
    if (path !== '/metrics' || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(404).end('There is /metrics\n');
      return;
    }
    void answer(response, text, options);
  });
  await listen(server, options.address);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function pageOf({ families, clock }: MetricsPageOptions): () => Promise<string> {
  let made: { readonly atMs: number; readonly text: Promise<string> } | undefined;
  const make = async () => {
    // The library that writes the text is loaded when somebody asks.
    const { formatExposition } = await import('../telemetry/exposition.ts');
    return formatExposition(families());
  };
  return () => {
    const atMs = clock.monotonicMs();
    if (made === undefined || atMs - made.atMs >= FRESH_MS) made = { atMs, text: make() };
    return made.text;
  };
}

async function answer(
  response: ServerResponse,
  text: () => Promise<string>,
  { log }: MetricsPageOptions,
): Promise<void> {
  try {
    const page = await text();
    response.writeHead(200, { 'content-type': CONTENT_TYPE }).end(page);
  } catch (error) {
    log.error(`Cannot answer a scrape: ${errorText(error)}`);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  }
}

function listen(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const code: AgentErrorCode = 'AGENT_METRICS_UNUSABLE';
      const received = formatListenAddress(address);
      reject(new AppError(code, `Cannot serve metrics: ${cause.message}: received ${received}`, { cause }));
    });
    server.listen({ ...address }, resolve);
  });
}
