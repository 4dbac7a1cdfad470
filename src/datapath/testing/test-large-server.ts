/**
 * Test support: `node test-large-server.ts ADDRESS PORT` answers with as many bytes as it is asked for (a 32-bit number),
 * on UDP in one datagram, on TCP in one stream. Nothing of it is DNS.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { patternBytes } from './test-pattern.ts';

const [address = '127.0.0.1', port = '53'] = process.argv.slice(2);
const REQUEST_BYTES = 4;

const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
udp.on('message', (request, peer) => udp.send(patternBytes(request.readUInt32BE()), peer.port, peer.address));
const tcp = createServer((socket) => {
  const parts: Buffer[] = [];
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes) => {
    parts.push(Buffer.from(bytes));
    const request = Buffer.concat(parts);
    if (request.length >= REQUEST_BYTES) socket.end(patternBytes(request.readUInt32BE()));
  });
});
udp.bind(Number(port), address, () => tcp.listen(Number(port), address, () => console.log('ready')));
