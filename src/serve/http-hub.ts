/**
 * The pages for probes and metrics: one HTTP listener per address, shared by all blocks and kept over a reload when its
 * address stays. Anyone on the node network can reach them, so requests are small, short and few.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { AppError, errorText } from '../fault/app-error.ts';
import { parseIp } from '../net/ip.ts';
import type { HttpAnswer } from '../plugins/contract.ts';
import type { InheritedSockets } from '../server/inherited-sockets.ts';
import { closeDescriptor } from '../sys/datagram-socket.ts';

/**
 * Not by `import`: an ES import reads every export of the module, and one of `node:http`'s is a getter that loads Node's
 * whole fetch implementation, a fifth of the time a cold start takes.
 */
const { createServer } = process.getBuiltinModule('node:http');

/** Address as written to path to answer. */
export type HttpPages = ReadonlyMap<string, ReadonlyMap<string, HttpAnswer>>;

const TIMEOUT_MS = 5000;
const MAX_CONNECTIONS = 256;
const MAX_HEADER_BYTES = 8192;

interface OpenPage {
  readonly server: Server;
  pages: ReadonlyMap<string, HttpAnswer>;
  /** Handed over by another process that still answers: listens at `commit`. */
  inheritedFd?: number | undefined;
}

export class HttpHub {
  readonly #open = new Map<string, OpenPage>();
  readonly #onError: (text: string) => void;
  readonly #reusePort: boolean;
  #isShared = false;

  /**
   * `onError` gets what went wrong while a page was made. With `reusePort` another process that says so too may have the
   * same addresses meanwhile.
   */
  constructor(onError: (text: string) => void, { reusePort = false }: { readonly reusePort?: boolean } = {}) {
    this.#onError = onError;
    this.#reusePort = reusePort;
  }

  /**
   * Opens addresses that are new, all or none; `abandon` brings back what had to make room. The pages of known addresses
   * are replaced at `commit`.
   */
  async prepare(
    pages: HttpPages,
    inherited?: InheritedSockets,
  ): Promise<{ commit(): void; abandon(): Promise<void> }> {
    const opened: string[] = [];
    const evicted: [address: string, answers: OpenPage['pages']][] = [];
    const abandon = async () => {
      await Promise.all(opened.map((address) => this.#close(address)));
      for (const [address, answers] of evicted) await this.#reopen(address, answers);
    };
    try {
      for (const [address, answers] of pages) {
        if (this.#open.has(address)) continue;
        evicted.push(...(await this.#evictFor(address, pages)));
        const fd = inherited && inheritedFd(address, inherited);
        if (fd === undefined) await this.#listen(address, answers);
        else this.#makePage(address, answers).inheritedFd = fd;
        opened.push(address);
      }
    } catch (error) {
      await abandon();
      throw error;
    }
    return { commit: () => this.#commit(pages), abandon };
  }

  /** Whether another process answers at the same sockets: requests under way are answered when they close. */
  share(isShared: boolean): void {
    this.#isShared = isShared;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((address) => this.#close(address)));
  }

  /**
   * `:9153` cannot be opened beside `127.0.0.1:9153`: what is not wanted any more and has the same port closes first. For
   * that moment the page is away; the DNS listeners are not concerned.
   */
  async #evictFor(address: string, wanted: HttpPages): Promise<[string, OpenPage['pages']][]> {
    const { port } = splitHostPort(address);
    const rivals = [...this.#open]
      .filter(([other]) => port !== 0 && !wanted.has(other) && splitHostPort(other).port === port)
      .map(([other, { pages }]): [string, OpenPage['pages']] => [other, pages]);
    await Promise.all(rivals.map(([other]) => this.#close(other)));
    return rivals;
  }

  async #reopen(address: string, answers: OpenPage['pages']): Promise<void> {
    try {
      await this.#listen(address, answers);
    } catch (error) {
      this.#onError(`Error on http ${address}: ${errorText(error)}`);
    }
  }

  #commit(pages: HttpPages): void {
    for (const [address, page] of this.#open) {
      const answers = pages.get(address);
      if (answers !== undefined) page.pages = answers;
      else void this.#close(address);
      const fd = page.inheritedFd;
      page.inheritedFd = undefined;
      if (fd !== undefined) page.server.listen({ fd, exclusive: true });
    }
  }

  async #listen(address: string, pages: ReadonlyMap<string, HttpAnswer>): Promise<void> {
    const { host, port } = splitHostPort(address);
    const { server } = this.#makePage(address, pages);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const refused = (error: Error) => {
      this.#open.delete(address);
      reject(listenFault(address, error));
    };
    server.prependOnceListener('error', refused);
    const reusePort = this.#reusePort;
    server.listen({ port, reusePort, exclusive: true, ...(host === '' ? {} : { host }) }, () => {
      server.off('error', refused);
      resolve();
    });
    await promise;
  }

  #makePage(address: string, pages: ReadonlyMap<string, HttpAnswer>): OpenPage {
    const server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      requestTimeout: TIMEOUT_MS,
      headersTimeout: TIMEOUT_MS,
      connectionsCheckingInterval: 1000,
    });
    const page: OpenPage = { server, pages };
    limitConnections(server);
    server.keepAliveTimeout = TIMEOUT_MS;
    server.setTimeout(TIMEOUT_MS);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void this.#respond(page, request, response);
    });
    server.on('error', (error) => {
      if (server.listening) this.#onError(`Error on http ${address}: ${error.message}`);
    });
    this.#open.set(address, page);
    return page;
  }

  async #respond(page: OpenPage, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').replace(/[?#].*$/s, '');
    const answer = request.method === 'GET' || request.method === 'HEAD' ? page.pages.get(path) : undefined;
    try {
      const { status, body, contentType } = (await answer?.()) ?? {
        status: 404,
        body: '404 page not found\n',
      };
      response.writeHead(status, {
        'Content-Type': contentType ?? 'text/plain; charset=utf-8',
        'Content-Length': Buffer.byteLength(body),
      });
      response.end(request.method === 'HEAD' ? undefined : body);
    } catch (error) {
      this.#onError(`Cannot answer GET ${JSON.stringify(path.slice(0, 100))}: ${errorText(error)}`);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    }
  }

  async #close(address: string): Promise<void> {
    const page = this.#open.get(address);
    this.#open.delete(address);
    if (page === undefined) return;
    const { server, inheritedFd: fd } = page;
    if (fd !== undefined) closeDescriptor(fd);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    if (!this.#isShared) server.closeAllConnections();
    await closed;
  }
}

/** At the bound the oldest makes room: whoever hoards connections must not keep the kubelet's probe out. */
function limitConnections(server: Server): void {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    const [oldest] = open;
    if (open.size >= MAX_CONNECTIONS) oldest?.destroy();
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
}

/** `:9153`, `localhost:9153`, `[::1]:9153`; an empty host means every address. */
function splitHostPort(address: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match !== null && port <= 65535) return { host: match[1] ?? match[2] ?? '', port };
  throw new AppError(
    'SERVE_HTTP_ADDRESS',
    `Cannot listen for HTTP: the address is not host:port: received ${JSON.stringify(address)}`,
  );
}

/** An empty host is both families in one socket, or IPv4 on a machine without the other. */
function inheritedFd(address: string, inherited: InheritedSockets): number | undefined {
  const { host, port } = splitHostPort(address);
  const hosts = host === '' ? ['::', '0.0.0.0'] : host === 'localhost' ? ['127.0.0.1', '::1'] : [host];
  const [fd, ...surplus] = hosts.flatMap((text) => {
    const ip = parseIp(text);
    return ip === undefined ? [] : inherited.take('tcp', { address: ip, port });
  });
  for (const each of surplus) closeDescriptor(each);
  return fd;
}

function listenFault(address: string, error: Error): AppError {
  return new AppError('SERVE_HTTP_LISTEN', `Cannot listen on http ${address}: ${error.message}`, {
    cause: error,
    hint: 'Is another server running here? The ports of health, ready and prometheus can be changed in the Corefile',
  });
}
