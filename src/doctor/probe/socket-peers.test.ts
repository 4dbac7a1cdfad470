import { expect, it } from 'vitest';
import { parsePeers } from './socket-peers.ts';

// As Linux 6.18 prints them: two connections that share a port, one that listens, one of a line cut short.
const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0C01A8C0:B18E 0A00600A:0035 01 00000000:00000000 00:00000000 00000000     0        0 1234 1 0000000000000000 20 4 30 10 -1
   1: 0C01A8C0:B18E 0B00600A:01BB 01 00000000:00000000 02:000004A1 00000000  1000        0 1235 2 0000000000000000 20 4 30 10 -1
   2: 00000000:0044 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1236 1 0000000000000000 100 0 0 10 0
   3: 0C01A8C0:B190 0A00600A:0035 01 00000000:00000000 00:00000000 00000000     0        0 12`;
const UDP6 = `  sl  local_address                         remote_address                        st
  12: 000000FD000000000000000001000000:9C40 000000FD960000000000000000000000:0035 01 00000000:00000000 00:00000000 00000000     0        0 77 2 0000000000000000 0`;

it('parsePeers reads who is connected to whom, socket by socket, and no more', () => {
  expect([...parsePeers(TCP)]).toEqual([
    [1234, { address: '10.96.0.10', port: 53 }],
    [1235, { address: '10.96.0.11', port: 443 }],
  ]);
  expect([...parsePeers(UDP6).keys()]).toEqual([77]);
  expect(parsePeers('nonsense\n1: x').size).toBe(0);
});
