/**
 * Test support: a process with sockets that a test drives from outside. `node socket-client.ts`, one JSON command a line
 * on standard input, one JSON result a line on standard output, in the same order. Results are what a program would see:
 * who answered, by which address, who the peer is, and the code of an error.
 */
import { createSocket, type Socket } from 'node:dgram';
import { connect, type Socket as TcpSocket } from 'node:net';
import { createInterface } from 'node:readline';

export interface ClientCommand {
  readonly do: 'open' | 'connect' | 'ask' | 'peer' | 'error' | 'close';
  /** Names a socket of this process. */
  readonly socket: string;
  readonly kind?: 'udp4' | 'udp6' | 'tcp';
  /** open, connect: connects there, port 53 if not said; connect: after it has left its peer. ask: sends there, port 53; a connected socket needs none. */
  readonly to?: string;
  /** open: of the peer. */
  readonly port?: number;
  /** open: local port. */
  readonly bind?: number;
}

export interface ClientResult {
  /** The address in the answer, which tells the server; `timeout`. */
  readonly answer?: string;
  /** Whom the answer came from, or the peer. */
  readonly from?: string;
  readonly port?: number;
  readonly error?: string;
}

const TIMEOUT_MS = 15_000;
const QUESTION = Buffer.from('123401000001000000000000047465737404746573740000010001', 'hex');

interface Held {
  readonly udp?: Socket;
  readonly tcp?: TcpSocket;
  readonly errors: string[];
}

const held = new Map<string, Held>();

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? String(error);
}

function lastAddress(bytes: Buffer): string {
  return [...bytes.subarray(-4)].join('.');
}

function open({ socket, kind, to, port = 53, bind }: ClientCommand): Promise<ClientResult> {
  const errors: string[] = [];
  return new Promise((resolve) => {
    if (kind === 'tcp') {
      const tcp = connect(port, to ?? '');
      held.set(socket, { tcp, errors });
      tcp.on('error', (error) => {
        errors.push(codeOf(error));
        resolve({ error: codeOf(error) });
      });
      tcp.on('connect', () => resolve({}));
      return;
    }
    const udp = createSocket(kind ?? 'udp4');
    held.set(socket, { udp, errors });
    udp.on('error', (error) => errors.push(codeOf(error)));
    udp.bind(bind ?? 0, () => {
      if (to === undefined) resolve({});
      else udp.connect(port, to, () => resolve({}));
    });
  });
}

/** connect(2) with AF_UNSPEC, and then anew. */
function connectAgain({ socket, to }: ClientCommand): Promise<ClientResult> {
  const { udp } = find(socket);
  udp?.disconnect();
  return new Promise((resolve) => udp?.connect(53, to ?? '', () => resolve({})));
}

function ask({ socket, to }: ClientCommand): Promise<ClientResult> {
  const { udp, tcp, errors } = find(socket);
  return new Promise((resolve) => {
    const done = (result: ClientResult) => {
      clearTimeout(timer);
      udp?.off('message', heard);
      udp?.off('error', failed);
      resolve(result);
    };
    const heard = (bytes: Buffer, from: { address: string; port: number }) =>
      done({ answer: lastAddress(bytes), from: from.address, port: from.port });
    const failed = (error: unknown) => done({ error: codeOf(error) });
    const timer = setTimeout(() => done({ answer: 'timeout' }), TIMEOUT_MS);
    const sent = (error: unknown) => {
      if (error) failed(error);
    };
    errors.length = 0;
    if (tcp !== undefined) {
      const length = Buffer.from([0, QUESTION.length]);
      tcp.once('data', (bytes) => done({ answer: lastAddress(Buffer.from(bytes)) }));
      tcp.once('close', () => done({ error: errors[0] ?? 'closed' }));
      tcp.write(Buffer.concat([length, QUESTION]));
      return;
    }
    udp?.on('message', heard);
    udp?.on('error', failed);
    if (to === undefined) udp?.send(QUESTION, sent);
    else udp?.send(QUESTION, 53, to, sent);
  });
}

function peer({ socket }: ClientCommand): ClientResult {
  const { udp, tcp } = find(socket);
  if (tcp !== undefined) return { from: tcp.remoteAddress ?? '', port: tcp.remotePort ?? 0 };
  try {
    const { address, port } = udp?.remoteAddress() ?? { address: '', port: 0 };
    return { from: address, port };
  } catch (error) {
    return { error: codeOf(error) };
  }
}

/** The first error since the last question; none: `{}`. */
function errorOf({ socket }: ClientCommand): ClientResult {
  const [error] = find(socket).errors;
  return error === undefined ? {} : { error };
}

function close({ socket }: ClientCommand): ClientResult {
  const { udp, tcp } = find(socket);
  udp?.close();
  tcp?.destroy();
  held.delete(socket);
  return {};
}

function find(name: string): Held {
  const found = held.get(name);
  if (found === undefined) throw new Error(`No socket ${name}`);
  return found;
}

async function run(command: ClientCommand): Promise<ClientResult> {
  switch (command.do) {
    case 'open':
      return open(command);
    case 'connect':
      return connectAgain(command);
    case 'ask':
      return ask(command);
    case 'peer':
      return peer(command);
    case 'error':
      return errorOf(command);
    case 'close':
      return close(command);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(JSON.parse(line) as ClientCommand)));
}
