/**
 * Test support: `node test-client.ts ADDRESS` keeps one connected UDP socket to ADDRESS port 53, as a stub resolver with
 * a long-lived socket does; every line on standard input is a question, its answer's address is printed, or `timeout`.
 */
import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';

const [address = '127.0.0.1'] = process.argv.slice(2);
const TIMEOUT_MS = 15_000;
const QUESTION = Buffer.from('123401000001000000000000047465737404746573740000010001', 'hex');
const socket = createSocket('udp4');

function ask(): Promise<string> {
  return new Promise((resolve) => {
    const done = (text: string) => {
      clearTimeout(timer);
      socket.off('message', heard);
      resolve(text);
    };
    const heard = (answer: Buffer) => done([...answer.subarray(-4)].join('.'));
    const timer = setTimeout(() => done('timeout'), TIMEOUT_MS);
    socket.on('message', heard);
    socket.send(QUESTION);
  });
}

// A dead server is seen as ECONNREFUSED by a connected socket; the question then times out.
socket.on('error', () => undefined);
socket.connect(53, address, async () => {
  console.log('ready');
  for await (const _ of createInterface({ input: process.stdin })) console.log(await ask());
});
