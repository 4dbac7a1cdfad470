/**
 * Serves the page on loopback: its files, one stream of events per reader, the flows of one query and the doctor's report.
 * GET alone; nothing here changes anything. Readers are bounded in number and in what waits for them.
 * The files are anybody's. What tells of flows is told to those who know the key alone: loopback is every local user's. The
 * key stands in the fragment of the page's address, which browsers send to nobody, so it needs no cookie, which every other
 * server on loopback would be sent too.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AppError, errorText } from '../fault/app-error.ts';
import { type Clock, systemClock } from '../telemetry/clock.ts';
import { DoctorDesk } from './doctor-desk.ts';
import { loadPageFiles } from './page-files.ts';
import { PageReaders } from './page-readers.ts';
import { refusalOf } from './request-guard.ts';
import { SourceFeed } from './source-feed.ts';
import { Traffic } from './traffic/traffic.ts';
import type { UiSource } from './ui-source.ts';

export interface UiServerSpec {
  readonly source: UiSource;
  /** A loopback address; 127.0.0.1 when not given. */
  readonly host?: string;
  /** 0: any free one. */
  readonly port: number;
  readonly clock?: Clock;
}

export interface UiServer {
  /** What to open, key and all. */
  readonly url: string;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 64;
const MAX_HEADER_BYTES = 8192;
const IDLE_MS = 30_000;
const SECOND_MS = 1000;
const KEY_BYTES = 16;

/** Rejects with UI_NOT_LOOPBACK or UI_LISTEN. The source stays the caller's. */
export async function startUiServer(spec: UiServerSpec): Promise<UiServer> {
  const { source, host = '127.0.0.1', port, clock = systemClock } = spec;
  if (!isLoopback(host))
    throw new AppError(
      'UI_NOT_LOOPBACK',
      `Cannot serve the page: the address is not loopback: received ${host}`,
    );
  const page = loadPageFiles();
  const headers = { ...HEADERS, 'content-security-policy': page.policy };
  const traffic = new Traffic(clock.nowMs());
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_BYTES, requestTimeout: IDLE_MS },
    (request, response) => serve(request, response),
  );
  server.maxConnections = MAX_CONNECTIONS;
  const address = await listen(server, host, port);
  const key = randomBytes(KEY_BYTES).toString('base64url');
  const url = `${address}#${key}`;
  const feed = new SourceFeed({ source, traffic, clock });
  const doctor = new DoctorDesk(source, clock);
  const readers = new PageReaders({ traffic, state: () => feed.state(), clock });
  let timer = clock.after(SECOND_MS, turn);
  return { url, close };

  function turn(): void {
    traffic.turn(Math.floor(clock.nowMs() / SECOND_MS));
    feed.turn();
    readers.tell();
    const leftMs = SECOND_MS - (clock.nowMs() % SECOND_MS);
    // A timer that was early by a little must not end the same second twice.
    timer = clock.after(leftMs < SECOND_MS / 4 ? leftMs + SECOND_MS : leftMs, turn);
  }

  function serve(
    { method, socket, headers: asked, url: path = '/' }: IncomingMessage,
    response: ServerResponse,
  ) {
    const refusal = refusalOf({ method, headers: asked, port: socket.localPort ?? 0 });
    if (refusal === undefined) route(path, response);
    else say(response, refusal.status, refusal.reason);
  }

  /** Not read as an URL: what stands in a request line need not be one. */
  function route(path: string, response: ServerResponse): void {
    const [pathname = '/', query = ''] = path.split('?', 2);
    const words = new URLSearchParams(query);
    const file = page.files.get(pathname);
    if (file !== undefined) response.writeHead(200, { ...headers, 'content-type': file.type }).end(file.body);
    else if (!KEPT_PATHS.includes(pathname)) say(response, 404, 'There is no such file');
    else if (!isSame(words.get('key') ?? '', key))
      say(response, 401, 'Only with the key in the address that zerohop ui printed');
    else if (pathname === '/events') {
      if (!readers.add(response, words, headers)) say(response, 503, 'Too many pages are open');
    } else if (pathname === '/query') answerJson(response, { steps: traffic.steps(Number(words.get('id'))) });
    else void doctor.report(words.get('fresh') === '1').then((report) => answerJson(response, report));
  }

  function answerJson(response: ServerResponse, value: unknown): void {
    const type = { 'content-type': 'application/json; charset=utf-8' };
    response.writeHead(200, { ...headers, ...type }).end(JSON.stringify(value));
  }

  function say(response: ServerResponse, status: number, text: string): void {
    const type = { 'content-type': 'text/plain; charset=utf-8' };
    response.writeHead(status, { ...headers, ...type, ...(status === 405 ? { allow: 'GET' } : {}) });
    response.end(`${text}\n`);
  }

  async function close(): Promise<void> {
    timer.cancel();
    feed.close();
    readers.close();
    const closed = new Promise<void>((done) => server.close(() => done()));
    server.closeAllConnections();
    await closed;
  }
}

/** What tells of flows. */
const KEPT_PATHS: readonly string[] = ['/events', '/query', '/doctor'];

/** Takes as long for every guess of whatever length. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

const HEADERS = {
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function listen(server: Server, host: string, port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  server.once('error', (error) =>
    reject(
      new AppError('UI_LISTEN', `Cannot serve the page on ${host}, port ${port}: ${errorText(error)}`, {
        cause: error,
        hint: 'Give another port with --port, or 0 for any free one',
      }),
    ),
  );
  server.listen(port, host, () => {
    // Of single connections that could not be accepted; the others go on.
    server.on('error', () => undefined);
    const { address, family, port: taken } = server.address() as AddressInfo;
    resolve(`http://${family === 'IPv6' ? `[${address}]` : address}:${taken}/`);
  });
  return promise;
}
