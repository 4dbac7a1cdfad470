import { afterEach, describe, expect, test } from 'vitest';
import { parseIp } from '../net/ip.ts';
import { DatagramBatch, MAX_DATAGRAM_BYTES, MSG_DONTWAIT, MSG_WAITFORONE } from './datagram-batch.ts';
import { testDatagrams } from './datagram-self-test.ts';
import { boundAddress, closeDescriptor, openDatagramSocket, stopTaking } from './datagram-socket.ts';
import { errnoName } from './errors.ts';
import { PollSet } from './poll-set.ts';
import { decodeSockaddr, encodeSockaddr } from './sockaddr.ts';

const fds: number[] = [];
afterEach(() => {
  for (const fd of fds.splice(0)) closeDescriptor(fd);
});

const LOOPBACK = '127.0.0.1';

function open(port = 0): { fd: number; name: Uint8Array } {
  const address = parseIp(LOOPBACK);
  if (address === undefined) throw new Error(LOOPBACK);
  const fd = openDatagramSocket({
    family: 4,
    address: encodeSockaddr(address, port),
    receiveTimeoutMs: 50,
    receiveBufferBytes: 1 << 20,
    packetInfo: false,
  });
  fds.push(fd);
  return { fd, name: boundAddress(fd, 16) };
}

function packet(batch: DatagramBatch, i: number): string {
  const at = batch.packetAt(i);
  return Buffer.from(batch.bytes.subarray(at, at + batch.packetLength(i))).toString();
}

const bytes = (text: string) => new TextEncoder().encode(text);
const NONE = new Uint8Array();

describe('datagrams', () => {
  test('the self-test passes here', () => {
    expect(() => testDatagrams()).not.toThrow();
  });

  test('replies go to those who asked, also when some of a batch get none', () => {
    const server = open();
    const clients = Array.from({ length: 8 }, () => open());
    const sender = new DatagramBatch(1);
    for (const [i, client] of clients.entries()) {
      sender.add(server.name, NONE, bytes(`query ${i}`));
      expect(sender.send(client.fd)).toBe(0);
    }
    const batch = new DatagramBatch(16);
    const receiver = new DatagramBatch(2);
    for (const round of [1, 2]) {
      if (round === 2) {
        for (const [i, client] of clients.entries()) {
          sender.add(server.name, NONE, bytes(`query ${i}`));
          sender.send(client.fd);
        }
      }
      expect(batch.receive(server.fd, MSG_WAITFORONE)).toBe(8);
      for (let i = 0; i < 8; i++) {
        expect(packet(batch, i)).toBe(`query ${i}`);
        if (i % 3 === 0) continue;
        batch.bytes[batch.packetAt(i)] = 0x51;
        batch.reply(i, 7);
      }
      expect(batch.replies).toBe(5);
      expect(batch.send(server.fd)).toBe(0);
      for (const [i, client] of clients.entries()) {
        const count = receiver.receive(client.fd, MSG_DONTWAIT);
        if (i % 3 === 0) expect(errnoName(count)).toBe('EAGAIN');
        else expect([count, packet(receiver, 0)]).toEqual([1, `Query ${i}`]);
      }
    }
  });

  test('a reply that the kernel refuses does not keep the others', () => {
    const server = open();
    const client = open();
    const batch = new DatagramBatch(4);
    const nowhere = client.name.slice();
    nowhere[0] = 99;
    for (const name of [client.name, nowhere, client.name]) batch.add(name, NONE, bytes('reply'));
    expect(batch.send(server.fd)).toBe(1);
    expect(new DatagramBatch(4).receive(client.fd, MSG_DONTWAIT)).toBe(2);
  });

  test('takes nothing that would not fit', () => {
    const batch = new DatagramBatch(1);
    const { name } = open();
    expect(batch.add(name, NONE, new Uint8Array(MAX_DATAGRAM_BYTES + 1))).toBe(false);
    expect(batch.add(new Uint8Array(29), NONE, NONE)).toBe(false);
    expect(batch.add(name, new Uint8Array(65), NONE)).toBe(false);
    expect(batch.add(name, NONE, new Uint8Array(MAX_DATAGRAM_BYTES))).toBe(true);
    expect(batch.add(name, NONE, NONE)).toBe(false);
  });

  test('a read without packets ends by itself', () => {
    const { fd } = open();
    const batch = new DatagramBatch(1);
    expect(errnoName(batch.receive(fd, MSG_WAITFORONE))).toBe('EAGAIN');
    const poll = new PollSet([fd]);
    expect(poll.wait(1)).toBe(0);
    expect(poll.isReady(0)).toBe(false);
  });

  test('a set of descriptors tells which of them can be read', () => {
    const [first, second] = [open(), open()];
    const batch = new DatagramBatch(1);
    batch.add(second.name, NONE, bytes('x'));
    batch.send(first.fd);
    const poll = new PollSet([first.fd, second.fd]);
    expect(poll.wait(1000)).toBe(1);
    expect([poll.isReady(0), poll.isReady(1)]).toEqual([false, true]);
  });

  test('a socket that takes no more leaves its packets to the other one, and can still be read', () => {
    const first = open();
    const port = decodeSockaddr(first.name)?.port ?? 0;
    const batch = new DatagramBatch(64);
    const clients = Array.from({ length: 16 }, () => open());
    const send = () => {
      for (const client of clients) {
        batch.add(first.name, NONE, bytes('x'));
        batch.send(client.fd);
      }
    };
    send();
    const second = open(port);
    const peer = first.name.slice();
    peer.set([0, 9], 2);
    stopTaking(first.fd, peer);
    send();
    expect(batch.receive(first.fd, MSG_DONTWAIT)).toBe(16);
    batch.reply(0, 1);
    expect(batch.send(first.fd)).toBe(0);
    expect(batch.receive(second.fd, MSG_DONTWAIT)).toBe(16);
  });
});
