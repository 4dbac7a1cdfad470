/** For tests: packets written as hex with blanks, names and addresses that are known to parse, arbitrary messages. */
import fc from 'fast-check';
import { type Ip, parseIp } from '../../net/ip.ts';
import type { Edns, Flags, Message, ResourceRecord } from '../message.ts';
import { LABEL_TEXT, type Name, nameBytes, parseName } from '../name.ts';
import { addressRecord } from '../rdata/address.ts';
import { mxRecord } from '../rdata/mx.ts';
import { soaRecord } from '../rdata/soa.ts';
import { srvRecord } from '../rdata/srv.ts';
import { cnameRecord, dnameRecord, nsRecord, ptrRecord } from '../rdata/target.ts';
import { txtRecord } from '../rdata/text.ts';

/** `hex('0102 03', …)`: several arguments are parts of one packet, usually one per field group. */
export function hex(...parts: readonly string[]): Uint8Array {
  return Uint8Array.from(Buffer.from(parts.join('').replace(/\s+/g, ''), 'hex'));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function name(text: string): Name {
  const parsed = parseName(text);
  if (parsed === undefined) throw new Error(`Cannot use ${JSON.stringify(text)} as a name in a test`);
  return parsed;
}

export function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`Cannot use ${text} as an address in a test`);
  return parsed;
}

export const NO_FLAGS: Flags = {
  response: false,
  authoritative: false,
  truncated: false,
  recursionDesired: false,
  recursionAvailable: false,
  zero: false,
  authenticData: false,
  checkingDisabled: false,
};

/** A query for A IN with RD, ID 0x1234. */
export function queryFor(qname: string, fields: Partial<Message> & { type?: number } = {}): Message {
  const { type = 1, ...rest } = fields;
  return {
    id: 0x1234,
    opcode: 0,
    rcode: 0,
    flags: { ...NO_FLAGS, recursionDesired: true },
    questions: [{ name: name(qname), type, class: 1 }],
    answers: [],
    authorities: [],
    additionals: [],
    ...rest,
  };
}

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.nat({ max: 0xffff_ffff });
const ttl = fc.nat({ max: 0x7fff_ffff });
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });

/** Any label of 1 to 63 arbitrary bytes, mostly short letters so that suffixes repeat and compress. */
const labelText: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'B', 'www', 'example', 'org', '*', '_tcp') },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ minLength: 1, maxLength: 63 }).map(labelOf),
  },
);

export const anyName: fc.Arbitrary<Name> = fc
  .array(labelText, { maxLength: 8 })
  .map((labels) => (labels.length === 0 ? '.' : `${labels.join('.')}.`) as Name)
  .filter((text) => nameBytes(text) <= 255);

const anyAddress = fc.oneof(fc.ipV4(), fc.ipV6()).map(ip);
const soaNumbers = fc.record({
  serial: u32,
  refreshSeconds: u32,
  retrySeconds: u32,
  expireSeconds: u32,
  minimumSeconds: u32,
});

export const anyRecord: fc.Arbitrary<ResourceRecord> = fc.oneof(
  fc.tuple(anyName, ttl, anyAddress).map((args) => addressRecord(...args)),
  fc
    .tuple(fc.constantFrom(cnameRecord, nsRecord, ptrRecord, dnameRecord), anyName, ttl, anyName)
    .map(([make, ...args]) => make(...args)),
  fc.tuple(anyName, ttl, fc.record({ preference: u16, exchange: anyName })).map((args) => mxRecord(...args)),
  fc
    .tuple(anyName, ttl, fc.record({ priority: u16, weight: u16, port: u16, target: anyName }))
    .map((args) => srvRecord(...args)),
  fc
    .tuple(anyName, ttl, anyName, anyName, soaNumbers)
    .map(([owner, seconds, mname, rname, numbers]) =>
      soaRecord(owner, seconds, { mname, rname, ...numbers }),
    ),
  fc.tuple(anyName, ttl, fc.array(fc.string({ maxLength: 300 }))).map((args) => txtRecord(...args)),
  fc.record({
    name: anyName,
    type: fc.constantFrom(64, 65, 257, 4711),
    class: u16,
    ttlSeconds: ttl,
    rdata: bytes(80),
  }),
);

const anyFlags: fc.Arbitrary<Flags> = fc.record({
  response: fc.boolean(),
  authoritative: fc.boolean(),
  truncated: fc.boolean(),
  recursionDesired: fc.boolean(),
  recursionAvailable: fc.boolean(),
  zero: fc.boolean(),
  authenticData: fc.boolean(),
  checkingDisabled: fc.boolean(),
});

const anyEdns: fc.Arbitrary<Edns> = fc.record({
  version: u8,
  udpSize: u16,
  dnssecOk: fc.boolean(),
  options: fc.array(fc.record({ code: u16, data: bytes(40) }), { maxLength: 4 }),
});

const sections = {
  id: u16,
  opcode: fc.integer({ min: 0, max: 15 }),
  flags: anyFlags,
  questions: fc.array(fc.record({ name: anyName, type: u16, class: u16 }), { maxLength: 2 }),
  answers: fc.array(anyRecord, { maxLength: 6 }),
  authorities: fc.array(anyRecord, { maxLength: 3 }),
  additionals: fc.array(anyRecord, { maxLength: 3 }),
};

/** Every message that the wire can carry, without OPT or with one and a twelve-bit rcode. */
export const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ ...sections, rcode: fc.integer({ min: 0, max: 0xf }) }),
  fc.record({ ...sections, rcode: fc.integer({ min: 0, max: 0xfff }), edns: anyEdns }),
);

function labelOf(raw: Uint8Array): string {
  return Array.from(raw, (byte) => LABEL_TEXT[byte]).join('');
}
