import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { ip } from '../dns/testing/packets.ts';
import { dgramTransport, ownAddresses } from './dgram-transport.ts';
import type { UdpSocket } from './udp.ts';

const open: UdpSocket[] = [];
afterEach(async () => {
  for (const socket of open.splice(0)) await socket.close();
});

const info = (address: string) => ({
  address,
  netmask: '',
  mac: '',
  internal: false,
  cidr: null,
  ...(address.includes(':') ? { family: 'IPv6' as const, scopeid: 0 } : { family: 'IPv4' as const }),
});

test('ownAddresses lists each address once, without link-local ones', () => {
  const interfaces = {
    lo: [info('127.0.0.1'), info('::1')],
    eth0: [info('10.0.0.5'), info('10.0.0.5'), info('fe80::1'), info('2001:db8::5')],
    down: undefined,
  };
  expect(ownAddresses(interfaces)).toEqual(['127.0.0.1', '::1', '10.0.0.5', '2001:db8::5']);
});

/** A client at 127.0.0.1 that asks `host`; every 127/8 address is local, only 127.0.0.1 is on an interface. */
async function ask(host: string, port: number): Promise<{ text: string; from: string }> {
  const client = createSocket('udp4');
  try {
    client.send('ping', port, host);
    const [bytes, from] = await once(client, 'message');
    return { text: String(bytes), from: from.address };
  } finally {
    client.close();
  }
}

test('a wildcard knows which of the machine’s addresses was asked, and replies from it', async () => {
  const socket = await dgramTransport.open(
    { local: { address: ip('0.0.0.0'), port: 0 } },
    (arrival, respond) => respond(new TextEncoder().encode(arrival.local.address)),
  );
  open.push(socket);
  expect(socket.local.address).toBe('0.0.0.0');
  expect(await ask('127.0.0.1', socket.local.port)).toEqual({ text: '127.0.0.1', from: '127.0.0.1' });
});

test('an excepted address is left to the wildcard or to who else binds it', async () => {
  const wildcard = await dgramTransport.open(
    { local: { address: ip('0.0.0.0'), port: 0 }, except: [ip('127.0.0.1')] },
    (_arrival, respond) => respond(new TextEncoder().encode('wildcard')),
  );
  open.push(wildcard);
  const { port } = wildcard.local;
  expect((await ask('127.0.0.1', port)).text).toBe('wildcard');
  const own = await dgramTransport.open({ local: { address: ip('127.0.0.1'), port } }, (_arrival, respond) =>
    respond(new TextEncoder().encode('own')),
  );
  open.push(own);
  for (let i = 0; i < 8; i++) expect((await ask('127.0.0.1', port)).text).toBe('own');
});

test('a reply after close is forgotten', async () => {
  const late: ((bytes: Uint8Array) => void)[] = [];
  const socket = await dgramTransport.open(
    { local: { address: ip('127.0.0.1'), port: 0 } },
    (_arrival, respond) => void late.push(respond),
  );
  const client = createSocket('udp4');
  client.send('ping', socket.local.port, '127.0.0.1');
  await expect.poll(() => late.length).toBe(1);
  client.close();
  await Promise.all([socket.close(), socket.close()]);
  expect(() => late[0]?.(new Uint8Array(1))).not.toThrow();
});

test('a client that is gone, or that nothing can reach, does not end the socket', async () => {
  const socket = await dgramTransport.open(
    { local: { address: ip('127.0.0.1'), port: 0 } },
    // The second reply is larger than a datagram can be.
    (arrival, respond) => respond(arrival.bytes.length === 4 ? arrival.bytes : new Uint8Array(70_000)),
  );
  open.push(socket);
  const gone = createSocket('udp4');
  gone.send('too large', socket.local.port, '127.0.0.1');
  await once(gone, 'listening');
  gone.close();
  expect((await ask('127.0.0.1', socket.local.port)).text).toBe('ping');
});

test('packets that arrive together are answered each, to whoever sent it', async () => {
  const socket = await dgramTransport.open(
    { local: { address: ip('127.0.0.1'), port: 0 } },
    ({ bytes, client }, respond) => respond(new TextEncoder().encode(`${String(bytes)} ${client.port}`)),
  );
  open.push(socket);
  const clients = [createSocket('udp4'), createSocket('udp4')];
  const heard = clients.map((client) => {
    const texts: string[] = [];
    client.on('message', (bytes) => void texts.push(String(bytes)));
    return texts;
  });
  const words = Array.from({ length: 100 }, (_, i) => `ping-${i}`);
  for (const word of words) for (const client of clients) client.send(word, socket.local.port, '127.0.0.1');
  await expect.poll(() => heard.map((texts) => texts.length)).toEqual([100, 100]);
  for (const [i, client] of clients.entries()) {
    const { port } = client.address();
    expect(new Set(heard[i])).toEqual(new Set(words.map((word) => `${word} ${port}`)));
    client.close();
  }
});

test('an answer that comes later than its batch is sent when it comes', async () => {
  const socket = await dgramTransport.open(
    { local: { address: ip('127.0.0.1'), port: 0 } },
    (arrival, respond) => void setTimeout(() => respond(arrival.bytes), 5),
  );
  open.push(socket);
  expect((await ask('127.0.0.1', socket.local.port)).text).toBe('ping');
});
