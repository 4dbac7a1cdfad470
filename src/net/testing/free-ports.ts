/**
 * Ports for the servers of tests and benchmarks. They lie below those that Linux takes source ports from (32768 on,
 * `ip_local_port_range`): what is free in there may be the source of somebody's query a moment later, and then the server
 * that was promised it does not start.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const FIRST = 10_000;
const LAST = 32_767;
const MOST_TRIES = 1000;

/** Processes that run side by side begin in different places. */
let next = randomInt(FIRST, LAST + 1);

/**
 * `count` ports that no address of this machine has taken, for TCP or UDP. None is handed out twice by one process before
 * all others were. Rejects when nearly all are taken.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  for (let tries = 0; ports.length < count; tries++) {
    if (tries === MOST_TRIES) throw new Error(`No free port in ${tries} tries from ${next} on`);
    const port = next;
    next = port === LAST ? FIRST : port + 1;
    if ((await canListen(port)) && (await canBind(port))) ports.push(port);
  }
  return ports;
}

/** The first of `freePorts`. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

function canListen(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}

async function canBind(port: number): Promise<boolean> {
  // A socket on `::` takes no IPv4 address that somebody has already, but does not object to it either.
  return (await canBindFamily('udp4', port)) && (await canBindFamily('udp6', port));
}

function canBindFamily(type: 'udp4' | 'udp6', port: number): Promise<boolean> {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' });
  return new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      resolve(error.code === 'EAFNOSUPPORT');
    });
    socket.bind(port, () => socket.close(() => resolve(true)));
  });
}
