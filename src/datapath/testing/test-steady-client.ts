/**
 * Test support: `node test-steady-client.ts ADDRESS` asks ADDRESS port 53 every few milliseconds from one connected UDP
 * socket, with a line of output for every twenty that says when (CLOCK_MONOTONIC, nanoseconds), until its standard input
 * ends; then it waits for what is still to come and prints a JSON line: how many queries were sent, and how many of them
 * each answer's address answered.
 */
import { createSocket } from 'node:dgram';
import { setInterval, setTimeout } from 'node:timers/promises';

const [address = '127.0.0.1'] = process.argv.slice(2);
const INTERVAL_MS = 5;
const PATIENCE_MS = 5000;
const QUESTION = Buffer.from('000001000001000000000000047465737404746573740000010001', 'hex');
const socket = createSocket('udp4');
const waiting = new Set<number>();
const answered: Record<string, number> = {};
let sent = 0;
const state = { ended: false };

socket.on('error', () => undefined);
socket.on('message', (answer) => {
  if (!waiting.delete(answer.readUInt16BE())) return;
  const from = [...answer.subarray(-4)].join('.');
  answered[from] = (answered[from] ?? 0) + 1;
});
process.stdin.on('end', () => {
  state.ended = true;
});
process.stdin.resume();
await new Promise<void>((resolve) => socket.connect(53, address, resolve));
console.log('ready');
for await (const _ of setInterval(INTERVAL_MS)) {
  if (state.ended) break;
  const query = Buffer.from(QUESTION);
  query.writeUInt16BE(++sent & 0xffff);
  waiting.add(sent & 0xffff);
  socket.send(query);
  if (sent % 20 === 0) console.log(`more ${process.hrtime.bigint()}`);
}
const deadline = Date.now() + PATIENCE_MS;
while (waiting.size > 0 && Date.now() < deadline) await setTimeout(INTERVAL_MS);
console.log(JSON.stringify({ sent, answered }));
socket.close();
