/**
 * Test support: `node test-kept-client.ts ADDRESS` keeps one TCP connection to ADDRESS port 53; every line on standard
 * input is a question on it, its answer's address is printed, or how the connection ended.
 */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const [address = '127.0.0.1'] = process.argv.slice(2);
const QUESTION = Buffer.from('001b123401000001000000000000047465737404746573740000010001', 'hex');
const socket = connect({ host: address, port: 53 });

function ask(): Promise<string> {
  return new Promise((resolve) => {
    const done = (text: string) => {
      socket.off('data', heard).off('error', failed).off('close', closed);
      resolve(text);
    };
    const heard = (answer: Buffer) => done([...answer.subarray(-4)].join('.'));
    const failed = (error: Error) => done('code' in error ? String(error.code) : error.message);
    const closed = () => done('closed');
    socket.on('data', heard).on('error', failed).on('close', closed);
    socket.write(QUESTION);
  });
}

socket.on('connect', async () => {
  console.log('ready');
  for await (const _ of createInterface({ input: process.stdin })) console.log(await ask());
  socket.destroy();
});
