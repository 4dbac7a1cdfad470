/**
 * The least that a DNS server on `node:dgram` can cost: every query is sent back with the reply bit set, nothing is read
 * or looked up. A program, with its port on 127.0.0.1 as argument.
 */
import { createSocket } from 'node:dgram';

const QR = 0x80;
const FLAGS_OFFSET = 2;

const socket = createSocket({ type: 'udp4', lookup: (host, _options, done) => done(null, host, 4) });
socket.on('message', (bytes, peer) => {
  bytes[FLAGS_OFFSET] = (bytes[FLAGS_OFFSET] ?? 0) | QR;
  socket.send(bytes, peer.port, peer.address);
});
socket.bind(Number(process.argv[2]), '127.0.0.1', () => socket.setRecvBufferSize(1 << 20));
