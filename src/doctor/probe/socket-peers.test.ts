import { expect, it } from 'vitest';
import { parsePeers } from './socket-peers.ts';

// As Linux 6.18 prints them: sockets to 10.96.0.10:53 and [fd00:96::a]:53, one that listens, one of a line cut short.
const UDP = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  115: 0C01A8C0:B18E 0A00600A:0035 01 00000000:00000000 00:00000000 00000000     0        0 1234 2 0000000000000000 0
  116: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1235 2 0000000000000000 0
  117: 0C01A8C0:B190 0A00600A:00`;
const UDP6 = `  sl  local_address                         remote_address                        st
  12: 000000FD000000000000000001000000:9C40 000000FD960000000000000000000000:0035 01 00000000:00000000
  13: 000000FD000000000000000001000000:9C41 000000FD96000000000000000A000000:0035 01 00000000:00000000`;

it('parsePeers reads who is connected to whom, and no more', () => {
  expect([...parsePeers(UDP)]).toEqual([[45454, { address: '10.96.0.10', port: 53 }]]);
  expect(parsePeers(UDP6).size).toBe(2);
  expect(parsePeers('nonsense\n1: x').size).toBe(0);
});
