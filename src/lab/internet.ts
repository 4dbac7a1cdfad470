/**
 * Stands for the internet: a resolver with a fixed zone, the nodes' upstream. Each answer takes a few milliseconds, as
 * it does out there, so that a cache has something to save.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLASS, RCODE } from '../dns/codes.ts';
import { decodeMessage } from '../dns/decode-message.ts';
import { encodeMessage } from '../dns/encode-message.ts';
import type { Message, ResourceRecord } from '../dns/message.ts';
import { canonicalName, type Name, parseName, ROOT } from '../dns/name.ts';
import { addressRecord } from '../dns/rdata/address.ts';
import { soaRecord } from '../dns/rdata/soa.ts';
import { replyTo } from '../dns/reply.ts';
import { parseIp } from '../net/ip.ts';

const ANSWER_DELAY_MS = 5;
const TTL_SECONDS = 300;
const UDP_LIMIT = 512;

const ZONE: Readonly<Record<string, readonly string[]>> = {
  'google.com.': ['142.250.196.110'],
  'www.google.com.': ['142.250.197.228', '2404:6800:4005:825::2004'],
  'kubernetes.io.': ['15.197.167.90', '3.33.186.135'],
  'cilium.io.': ['104.198.14.52'],
  'example.com.': ['93.184.215.14', '2606:2800:21f:cb07:6820:80da:af6b:8b2c'],
  'github.com.': ['20.200.245.247'],
  // More than 512 bytes, which is what a client without EDNS gets by UDP.
  'large.example.com.': Array.from({ length: 40 }, (_, i) => `192.0.2.${i + 1}`),
};

/** Any name below this exists, so that a load can ask for as many different names as it likes. */
const WILDCARD = '.load.example.';

export function answerFromInternet(query: Message): Message {
  const question = query.questions[0];
  if (question === undefined) return replyTo(query, { rcode: RCODE.FORMERR });
  const name = canonicalName(question.name);
  const texts = name.endsWith(WILDCARD) ? ['192.0.2.1'] : ZONE[name];
  if (texts === undefined || question.class !== CLASS.IN) {
    return replyTo(query, { rcode: RCODE.NXDOMAIN, recursionAvailable: true, authorities: [rootSoa()] });
  }
  const answers = texts
    .flatMap((text) => records(question.name, text))
    .filter((rr) => rr.type === question.type);
  return replyTo(query, {
    rcode: RCODE.NOERROR,
    recursionAvailable: true,
    answers,
    authorities: answers.length > 0 ? [] : [rootSoa()],
  });
}

function records(name: Name, text: string): ResourceRecord[] {
  const address = parseIp(text);
  return address === undefined ? [] : [addressRecord(name, TTL_SECONDS, address)];
}

function rootSoa(): ResourceRecord {
  const [mname = ROOT, rname = ROOT] = ['a.root-servers.net.', 'nstld.verisign-grs.com.'].map(parseName);
  return soaRecord(ROOT, TTL_SECONDS, {
    mname,
    rname,
    serial: 2026010100,
    refreshSeconds: 1800,
    retrySeconds: 900,
    expireSeconds: 604800,
    minimumSeconds: TTL_SECONDS,
  });
}

async function answerBytes(bytes: Uint8Array, limit: number): Promise<Uint8Array | undefined> {
  const decoded = decodeMessage(bytes);
  if (!decoded.ok) return undefined;
  await sleep(ANSWER_DELAY_MS);
  const query = decoded.value;
  return encodeMessage(answerFromInternet(query), { limit: Math.max(limit, query.edns?.udpSize ?? 0) });
}

/** Listens on UDP and TCP until the process ends. */
export function serveInternet(address: string, port = 53): void {
  const socket = createSocket('udp4');
  socket.on('message', async (bytes, remote) => {
    const reply = await answerBytes(bytes, UDP_LIMIT);
    if (reply !== undefined) socket.send(reply, remote.port, remote.address);
  });
  socket.bind(port, address);
  const server = createServer((connection) => {
    let pending = Buffer.alloc(0);
    connection.on('error', () => connection.destroy());
    connection.on('data', async (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const end = 2 + pending.readUInt16BE(0);
        const message = pending.subarray(2, end);
        pending = pending.subarray(end);
        const reply = await answerBytes(message, 65535);
        if (reply === undefined) return connection.destroy();
        connection.write(Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 0xff]), reply]));
      }
      return connection;
    });
  });
  server.listen(port, address);
}
