import { expect, test } from 'vitest';
import { parseCounters, parseEntry } from './conntrack.ts';

test('parseCounters adds up what every processor counted, in hexadecimal', () => {
  const text =
    'entries  found insert_failed drop\n00000005  00000000 0000000a 00000001\n00000005  00000001 00000010 00000000\n';
  expect(parseCounters(text)).toEqual({ found: 1, insert_failed: 26, drop: 1 });
});

test('parseEntry reads who asked whom and who is to answer', () => {
  const line =
    'ipv4     2 udp      17 28 src=10.244.1.5 dst=10.96.0.10 sport=41000 dport=53 [UNREPLIED] src=10.244.0.3 dst=10.244.1.5 sport=53 dport=41000 mark=0 zone=0 use=2';
  expect(parseEntry(line)).toEqual({
    protocol: 'UDP',
    source: '10.244.1.5',
    sourcePort: 41000,
    destination: '10.96.0.10',
    destinationPort: 53,
    replySource: '10.244.0.3',
    replySourcePort: 53,
    unreplied: true,
    timeoutSeconds: 28,
  });
  expect(parseEntry(line.replace('dport=53', 'dport=80'))).toBeUndefined();
  expect(parseEntry('ipv4 2 icmp 1 29 src=10.0.0.1 dst=10.0.0.2')).toBeUndefined();
  expect(parseEntry('')).toBeUndefined();
});
