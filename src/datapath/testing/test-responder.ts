/** Test support: `node test-responder.ts ADDRESS ANSWER` gives one A record to every DNS question on ADDRESS port 53. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const [address = '0.0.0.0', answer = '192.0.2.1'] = process.argv.slice(2);
const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, ...answer.split('.').map(Number)]);

/** The header and the question come back, one answer is added; the OPT record of the query is cut off. */
function reply(query: Buffer): Buffer {
  const questionEnd = query.indexOf(0, 12) + 5;
  const head = Buffer.from(query.subarray(0, questionEnd));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(1, 6);
  head.writeUInt32BE(0, 8);
  return Buffer.concat([head, record]);
}

const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
udp.on('message', (query, peer) => {
  // Others send what is no DNS.
  if (query.indexOf(0, 12) >= 12) udp.send(reply(query), peer.port, peer.address);
});
const tcp = createServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes) => {
    const answerBytes = reply(Buffer.from(bytes).subarray(2));
    const length = Buffer.alloc(2);
    length.writeUInt16BE(answerBytes.length);
    socket.write(Buffer.concat([length, answerBytes]));
  });
});
udp.bind(53, address, () => tcp.listen(53, address, () => console.log('ready')));
