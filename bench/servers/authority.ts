/**
 * The upstream that fills the caches under test; a program, with its port on 127.0.0.1 as argument. It answers every
 * name at once, from its first label alone. While hits are measured nobody asks it.
 */
import { createSocket } from 'node:dgram';
import { decodeMessage } from '../../src/dns/decode-message.ts';
import { encodeMessage } from '../../src/dns/encode-message.ts';
import type { ResourceRecord } from '../../src/dns/message.ts';
import { type Name, parseName } from '../../src/dns/name.ts';
import { addressRecord } from '../../src/dns/rdata/address.ts';
import { soaRecord } from '../../src/dns/rdata/soa.ts';
import { cnameRecord } from '../../src/dns/rdata/target.ts';
import { replyTo } from '../../src/dns/reply.ts';
import { parseIp } from '../../src/net/ip.ts';
import { kindOf, ZONE } from '../names.ts';

/** Longer than any run. */
const TTL_SECONDS = 3600;

const zone = nameOf(ZONE);

function nameOf(text: string): Name {
  const name = parseName(text);
  if (name === undefined) throw new Error(`Cannot make a name: received ${text}`);
  return name;
}

function addresses(name: Name, count: number): ResourceRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const ip = parseIp(`192.0.2.${i + 1}`);
    if (ip === undefined) throw new Error('Cannot make an address');
    return addressRecord(name, TTL_SECONDS, ip);
  });
}

function answersTo(name: Name): ResourceRecord[] {
  const kind = kindOf(name);
  if (kind === 'one') return addresses(name, 1);
  if (kind === 'three') return addresses(name, 3);
  if (kind === 'none') return [];
  const target = nameOf(`alias.${name}`);
  return [cnameRecord(name, TTL_SECONDS, target), ...addresses(target, 2)];
}

const soa = soaRecord(zone, TTL_SECONDS, {
  mname: nameOf(`ns.${ZONE}`),
  rname: nameOf(`hostmaster.${ZONE}`),
  serial: 1,
  refreshSeconds: 7200,
  retrySeconds: 1800,
  expireSeconds: 86_400,
  minimumSeconds: TTL_SECONDS,
});

const socket = createSocket('udp4');
socket.on('message', (bytes, peer) => {
  const query = decodeMessage(bytes);
  const question = query.ok ? query.value.questions[0] : undefined;
  if (!query.ok || question === undefined) return;
  const answers = answersTo(question.name);
  const reply = replyTo(query.value, {
    answers,
    authorities: answers.length > 0 ? [] : [soa],
    authoritative: true,
  });
  socket.send(encodeMessage(reply), peer.port, peer.address);
});
socket.bind(Number(process.argv[2]), '127.0.0.1');
