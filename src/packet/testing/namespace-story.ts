/**
 * For tests: a server on port 0 of every address and a client that binds another address, in one process in a network
 * namespace of its own; the first argument says how many packet threads, the second is asked, the third asks. Prints what
 * came back from where: first an answer of the packet thread, then one of the main thread.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type Ip, ipFamily, parseIp } from '../../net/ip.ts';
import { memoryLog } from '../../server/testing/log.ts';
import { RECEIVE_BUFFER_BYTES, wildcardOf } from '../../server/udp.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { openUdpService } from '../open-udp-service.ts';
import { echoSource } from './echo-answerer.ts';

/** A thread loads its code before it reads its first packet, on a machine that may be busy. */
const PATIENCE_MS = 15_000;

const [threads = '1', ...pairs] = process.argv.slice(2);
const service = openUdpService({
  threads: Number(threads),
  receiveBufferBytes: RECEIVE_BUFFER_BYTES,
  log: memoryLog(),
  clock: systemClock,
  answers: echoSource(),
  onRestart: () => undefined,
});
let port = 0;
for (const family of [4, 6] as const) {
  const spec = { local: { address: wildcardOf(family), port }, listener: 0 };
  const { local } = await service.open(spec, (arrival, respond) =>
    respond(new TextEncoder().encode(`from ${arrival.local.address} to ${arrival.client.address}`)),
  );
  port = local.port;
}
for (const pair of pairs) {
  const [asked, asking] = pair.split('<').map(address);
  if (asked === undefined || asking === undefined) throw new Error(pair);
  for (const word of ['hot', 'cold']) console.log(await ask(word, asked, asking));
}
process.exit();

function address(text: string): Ip {
  const ip = parseIp(text);
  if (ip === undefined) throw new Error(text);
  return ip;
}

async function ask(word: string, asked: Ip, asking: Ip): Promise<string> {
  const socket = createSocket(ipFamily(asked) === 4 ? 'udp4' : 'udp6');
  socket.bind(0, asking);
  await once(socket, 'listening');
  socket.send(word, port, asked);
  const [bytes, from] = await once(socket, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) });
  socket.close();
  return `${from.address}: ${String(bytes)}`;
}
