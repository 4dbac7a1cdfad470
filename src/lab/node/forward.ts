/**
 * Ways into the lab from the machine's own namespace, from loopback only: what is served inside of it on a socket is served
 * by the lab's foreground on a port, and ends with it.
 */
import { type AddressInfo, connect, createServer, type Server } from 'node:net';

export interface Forwarder {
  /** `127.0.0.1:18080`. */
  readonly address: string;
  close(): void;
}

/** Any free port will do when the usual one is taken: the lab says which it got. */
export async function forwardTo(socketPath: string, port: number): Promise<Forwarder> {
  const server = createServer((client) => {
    const upstream = connect(socketPath);
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    client.pipe(upstream).pipe(client);
  });
  server.unref();
  try {
    await listenOn(server, port);
  } catch {
    await listenOn(server, 0);
  }
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => void server.close(),
  };
}

function listenOn(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
