/** One query from each of many ports, a few at a time: what a pod does that opens a socket per query and never stops. */
import { createSocket } from 'node:dgram';
import { TYPE } from '../../dns/codes.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import { parseName } from '../../dns/name.ts';
import { plainQuery } from '../../dns/plain-query.ts';

const AT_A_TIME = 32;
const ANSWER_MS = 200;
/** Below it are ports that need not be free. */
const FIRST_PORT = 20_000;

export async function floodFromPorts(server: string, ports: number): Promise<void> {
  const name = parseName('google.com');
  if (name === undefined) return;
  const query = encodeMessage(plainQuery({ name, type: TYPE.A }, { id: 1 }));
  let next = FIRST_PORT;
  const worker = async () => {
    while (next < FIRST_PORT + ports) await askFrom(next++, server, query);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}

/** Resolves with the answer, without one after a while, or when the port is taken. */
function askFrom(port: number, server: string, query: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const done = () => {
      clearTimeout(late);
      socket.close();
      resolve();
    };
    const late = setTimeout(done, ANSWER_MS);
    socket.once('message', done);
    socket.once('error', done);
    socket.bind(port, () => socket.send(query, 53, server));
  });
}
