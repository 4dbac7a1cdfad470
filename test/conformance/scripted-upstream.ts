/** An upstream that says what a conformance file tells it to, over real UDP and TCP sockets on one port. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { parseRcode, parseType } from '../../src/dns/codes.ts';
import { decodeMessage } from '../../src/dns/decode-message.ts';
import { encodeMessage } from '../../src/dns/encode-message.ts';
import type { Message, ResourceRecord } from '../../src/dns/message.ts';
import { parseName, ROOT } from '../../src/dns/name.ts';
import { replyTo } from '../../src/dns/reply.ts';
import { freePort } from '../../src/net/testing/free-ports.ts';
import { parseRecordText } from '../../src/zonefile/record-text.ts';
import type { UpstreamRule } from './suite.ts';

export interface ScriptedUpstream {
  readonly port: number;
  /** `TRANSPORT NAME TYPE`, without health checks and loop probes. */
  readonly asked: string[];
  replace(rules: readonly UpstreamRule[]): void;
  close(): Promise<void>;
}

export async function startUpstream(rules: readonly UpstreamRule[]): Promise<ScriptedUpstream> {
  const script = new Script(rules);
  const { tcp, udp, port } = await openOnePort();
  serveUdp(udp, script);
  serveTcp(tcp, script);
  return {
    port,
    asked: script.asked,
    replace: (next) => script.replace(next),
    async close() {
      udp.close();
      tcp.close();
      for (const socket of script.sockets) socket.destroy();
    },
  };
}

async function openOnePort(): Promise<{ tcp: Server; udp: UdpSocket; port: number }> {
  const port = await freePort();
  const tcp = createServer().listen(port, '127.0.0.1');
  const udp = createSocket('udp4').bind(port, '127.0.0.1');
  await Promise.all([once(tcp, 'listening'), once(udp, 'listening')]);
  return { tcp, udp, port };
}

class Script {
  readonly asked: string[] = [];
  readonly sockets = new Set<{ destroy(): void }>();
  #rules: readonly UpstreamRule[];
  #used = new Map<UpstreamRule, number>();

  constructor(rules: readonly UpstreamRule[]) {
    this.#rules = rules;
  }

  replace(rules: readonly UpstreamRule[]): void {
    this.#rules = rules;
    this.#used = new Map();
  }

  /** Nothing for what is no query, and for rules that say so. */
  answer(bytes: Uint8Array, transport: 'udp' | 'tcp', send: (reply: Uint8Array) => void): void {
    const decoded = decodeMessage(bytes);
    const question = decoded.ok ? decoded.value.questions[0] : undefined;
    if (!decoded.ok || question === undefined) return;
    const isProbe = (question.name === ROOT && question.type === 2) || question.type === 13;
    if (!isProbe) this.asked.push(`${transport} ${question.name} ${question.type}`);
    const rule = isProbe ? undefined : this.#find(question.name, question.type, transport);
    const bytesOut = rule === undefined ? refusal(decoded.value, isProbe) : replyBytes(decoded.value, rule);
    if (bytesOut !== undefined) setTimeout(() => send(bytesOut), rule?.delayMs ?? 0);
  }

  #find(name: string, type: number, transport: 'udp' | 'tcp'): UpstreamRule | undefined {
    const rule = this.#rules.find((each) => {
      const [wantedName = '', wantedType = '*'] = each.ask.split(' ');
      const isName = wantedName === '*' || fqdn(wantedName) === name.toLowerCase();
      const isType = wantedType === '*' || parseType(wantedType) === type;
      const isSpent = each.times !== undefined && (this.#used.get(each) ?? 0) >= each.times;
      return isName && isType && !isSpent && (each.only === undefined || each.only === transport);
    });
    if (rule !== undefined) this.#used.set(rule, (this.#used.get(rule) ?? 0) + 1);
    return rule;
  }
}

function fqdn(name: string): string {
  return name.endsWith('.') ? name.toLowerCase() : `${name.toLowerCase()}.`;
}

/** A health check is answered as any server would; other questions nobody foresaw are refused. */
function refusal(query: Message, isProbe: boolean): Uint8Array {
  return encodeMessage(replyTo(query, { rcode: isProbe ? 3 : 5, recursionAvailable: true }));
}

function replyBytes(query: Message, rule: UpstreamRule): Uint8Array | undefined {
  if (rule.fault === 'silent') return undefined;
  if (rule.fault === 'garbage') return new Uint8Array([query.id >> 8, query.id & 255, 0x80, 0, 1]);
  const flags = (rule.flags ?? 'ra').split(/\s+/);
  const reply = replyTo(query, {
    rcode: parseRcode(rule.rcode ?? 'NOERROR') ?? 2,
    answers: records(rule.answer),
    authorities: records(rule.authority),
    additionals: records(rule.additional),
    authoritative: flags.includes('aa'),
    recursionAvailable: flags.includes('ra'),
    authenticData: flags.includes('ad'),
  });
  const [question] = query.questions;
  const other = parseName('another.example.') ?? ROOT;
  return encodeMessage({
    ...reply,
    id: rule.fault === 'wrong-id' ? query.id ^ 1 : query.id,
    flags: { ...reply.flags, truncated: flags.includes('tc') },
    ...(rule.fault === 'wrong-question' && question && { questions: [{ ...question, name: other }] }),
    ...(query.edns && { edns: { version: 0, udpSize: 1232, dnssecOk: query.edns.dnssecOk, options: [] } }),
  });
}

function records(text = ''): readonly ResourceRecord[] {
  const lines = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .flatMap(repeated);
  return lines.map((line) => {
    const record = parseRecordText(line, { origin: ROOT, defaultTtlSeconds: 300 });
    if (!record.ok) throw new Error(`not a record: ${line}`);
    return record.value;
  });
}

/** `60x a.example. 300 IN A 192.0.2.@` */
function repeated(line: string): readonly string[] {
  const [, times, record = ''] = /^\s*(\d+)x (.*)$/.exec(line) ?? [];
  if (times === undefined) return [line];
  return Array.from({ length: Number(times) }, (_, index) => record.replaceAll('@', String(index + 1)));
}

function serveUdp(udp: UdpSocket, script: Script): void {
  udp.on('message', (bytes, peer) => {
    script.answer(bytes, 'udp', (reply) => udp.send(reply, peer.port, peer.address, () => undefined));
  });
}

function serveTcp(server: Server, script: Script): void {
  server.on('connection', (socket) => {
    let held: Buffer = Buffer.alloc(0);
    script.sockets.add(socket);
    socket.on('close', () => script.sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const end = 2 + held.readUInt16BE(0);
        script.answer(Uint8Array.from(held.subarray(2, end)), 'tcp', (reply) => {
          const length = Buffer.from([reply.length >> 8, reply.length & 255]);
          socket.write(Buffer.concat([length, reply]));
        });
        held = held.subarray(end);
      }
    });
  });
}
