/**
 * `node answered-client.ts ADDRESS`: each line on standard input is `{"timeoutMs":N,"queries":[HEX...]}`; all of them are sent to
 * ADDRESS port 53, so many at a time, each from a socket of its own, and the replies come as a line of JSON: HEX, or null.
 */
import { createSocket, type Socket } from 'node:dgram';
import { createInterface } from 'node:readline';

const AT_A_TIME = 100;
const [address = '127.0.0.1'] = process.argv.slice(2);

class Asker {
  #socket: Socket | undefined;

  /** Null when nothing came in time; a late reply finds the socket closed. */
  async ask(query: Uint8Array, timeoutMs: number): Promise<string | null> {
    this.#socket ??= await connected();
    const socket = this.#socket;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        socket.close();
        this.#socket = undefined;
        resolve(null);
      }, timeoutMs);
      socket.removeAllListeners('message');
      socket.once('message', (reply) => {
        clearTimeout(timer);
        resolve(reply.toString('hex'));
      });
      socket.send(query);
    });
  }
}

function connected(): Promise<Socket> {
  const socket = createSocket('udp4');
  // A port that nobody serves; the question then times out.
  socket.on('error', () => undefined);
  return new Promise((resolve) => socket.connect(53, address, () => resolve(socket)));
}

const askers = Array.from({ length: AT_A_TIME }, () => new Asker());

for await (const line of createInterface({ input: process.stdin })) {
  const { timeoutMs, queries } = JSON.parse(line) as { timeoutMs: number; queries: string[] };
  const replies = new Array<string | null>(queries.length).fill(null);
  let next = 0;
  const work = async (asker: Asker) => {
    for (let i = next++; i < queries.length; i = next++)
      replies[i] = await asker.ask(Buffer.from(queries[i] ?? '', 'hex'), timeoutMs);
  };
  await Promise.all(askers.map(work));
  console.log(JSON.stringify(replies));
}
