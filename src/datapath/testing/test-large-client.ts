/**
 * Test support: `node test-large-client.ts udp|tcp ADDRESS BYTES` asks ADDRESS port 53 for so many bytes and prints `whole`
 * when exactly those came, else what came instead. Its sockets are connected, so only answers from ADDRESS reach it.
 */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { patternBytes } from './test-pattern.ts';

const [protocol, address = '127.0.0.1', bytes = '0'] = process.argv.slice(2);
const PORT = 53;
const TIMEOUT_MS = 20_000;
const request = Buffer.alloc(4);
request.writeUInt32BE(Number(bytes));

function judge(answer: Buffer): string {
  return answer.equals(patternBytes(Number(bytes))) ? 'whole' : `${answer.length} bytes, or others`;
}

function end(text: string): never {
  console.log(text);
  process.exit();
}

setTimeout(() => end('timeout'), TIMEOUT_MS);
if (protocol === 'udp') {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (answer) => end(judge(answer)));
  socket.on('error', (error) => end(error.message));
  socket.connect(PORT, address, () => socket.send(request));
} else {
  const chunks: Buffer[] = [];
  const socket = connect(PORT, address, () => socket.write(request));
  socket.on('data', (chunk) => chunks.push(Buffer.from(chunk)));
  socket.on('error', (error) => end(error.message));
  socket.on('end', () => end(judge(Buffer.concat(chunks))));
}
