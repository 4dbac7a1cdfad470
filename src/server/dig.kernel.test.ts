/** The client everybody has, against the listener: what it makes of our bytes over UDP, TCP and from one to the other. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ip, name } from '../dns/testing/packets.ts';
import { systemClock } from '../telemetry/clock.ts';
import { type Listener, startListener } from './listen.ts';
import { memoryLog } from './testing/log.ts';
import { countingHandler } from './testing/replies.ts';

let listener: Listener;

beforeAll(async () => {
  listener = await startListener({
    address: ip('127.0.0.1'),
    port: 0,
    server: 'dns://127.0.0.1:0',
    routes: [{ zones: [name('.')], handler: countingHandler }],
    log: memoryLog(),
    clock: systemClock,
  });
});

afterAll(() => listener.close(0));

async function dig(...args: string[]): Promise<string> {
  const base = ['@127.0.0.1', '-p', String(listener.port), '+tries=1', '+time=15'];
  return (await promisify(execFile)('dig', [...base, ...args])).stdout;
}

test('dig over UDP', async () => {
  expect(await dig('a.example.org', '+short')).toBe('10.0.0.0\n');
});

test('dig over TCP', async () => {
  expect(await dig('2.example.org', '+tcp', '+short')).toBe('10.0.0.0\n10.0.0.1\n');
});

test('dig is told of truncation, and gets the whole answer over TCP', async () => {
  expect(await dig('59.example.org', '+noedns', '+ignore')).toMatch(
    /flags: qr tc rd; QUERY: 1, ANSWER: \d\d,/,
  );
  const retried = await dig('59.example.org', '+noedns');
  expect(retried).toContain(';; Truncated, retrying in TCP mode.');
  expect(retried).toContain('ANSWER: 59,');
});

test('dig asks several questions on one TCP connection', async () => {
  const asked = [
    '+tcp',
    '+keepopen',
    '+short',
    '1.example.org',
    '+tcp',
    '+keepopen',
    '+short',
    '2.example.org',
  ];
  expect(await dig(...asked)).toBe('10.0.0.0\n10.0.0.0\n10.0.0.1\n');
});

test('kdig asks over UDP and TCP, with EDNS options, cookies and padding', async () => {
  const base = ['@127.0.0.1', '-p', String(listener.port), '+timeout=15', '+retry=0'];
  const ask = async (...args: string[]) => (await promisify(execFile)('kdig', [...base, ...args])).stdout;
  expect(await ask('2.example.org', '+tcp', '+short')).toBe('10.0.0.0\n10.0.0.1\n');
  const padded = await ask(
    'a.example.org',
    '+tcp',
    '+dnssec',
    '+cookie=0011223344556677',
    '+padding=128',
    '+bufsize=1232',
  );
  expect(padded).toMatch(/flags: do; udp_size: 1232|Flags: do; UDP size: 1232 B/i);
  expect(padded).toMatch(/COOKIE: 0011223344556677/i);
});
