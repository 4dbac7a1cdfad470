import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { type Ip, parseIp } from '../../net/ip.ts';
import { findLink } from './links.ts';
import { findRoute } from './routes.ts';

const ip = (text: string): Ip => {
  const value = parseIp(text);
  if (value === undefined) throw new Error(`Not an address: ${text}`);
  return value;
};

test('findRoute knows the own address as local, on the loopback interface', () => {
  expect(networkInterfaces().lo).toBeDefined();
  expect(findRoute(ip('127.0.0.1'))).toEqual({ ifindex: 1, local: true, viaGateway: false });
});

test('findLink tells name and kind, and nothing for an interface that does not exist', () => {
  expect(findLink(1)).toMatchObject({ ifindex: 1, name: 'lo', kind: '' });
  expect(findLink(0x7ffffff0)).toBeUndefined();
});
