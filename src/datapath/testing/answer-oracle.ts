/**
 * Test support: what a query must be answered with from a set of stored answers, or that it must not be answered, by RFC 1035,
 * 6891 and 7873 and by what bpf/answer-abi.h and docs/packets.md say is answered. Written from these alone, label by label; nothing
 * of how the programs come to it is used here.
 */

export interface TestRecord {
  /** Wire form; default: a pointer to the question's name. */
  readonly owner?: Uint8Array;
  readonly type: number;
  readonly data: Uint8Array;
}

export interface TestAnswer {
  readonly labels: readonly string[];
  readonly type: number;
  readonly view: number;
  readonly dnssecOk?: boolean;
  readonly checkingDisabled?: boolean;
  readonly rcode?: number;
  readonly recursionAvailable?: boolean;
  readonly authenticData?: boolean;
  readonly answers: readonly TestRecord[];
  readonly authorities?: readonly TestRecord[];
  readonly additionals?: readonly TestRecord[];
  /** Of each record. */
  readonly ttlSeconds: number;
  /** From when it was stored; default: `ttlSeconds`. */
  readonly untilSeconds?: number;
  readonly keepTtl?: boolean;
  /**
   * Those of the answers that stand behind CNAME records may begin at any of them: all are alike but for their data, and of an
   * even length or addresses of the answer's type.
   */
  readonly rotate?: boolean;
  readonly logged?: boolean;
  readonly limitBytes?: number;
}

export interface Asked {
  /** The UDP payload. */
  readonly query: Uint8Array;
  readonly family: 4 | 6;
  readonly view: number;
  /** Of the entry, when it is asked. */
  readonly ageSeconds: (answer: TestAnswer) => number;
}

interface Question {
  readonly labels: readonly string[];
  readonly type: number;
  readonly end: number;
  readonly opt?: { readonly udpSize: number; readonly dnssecOk: boolean; readonly data: Uint8Array };
  readonly flags: number;
}

const CNAME = 5;
const DS = 43;
const OPT = 41;
const COOKIE = 10;
const RD = 0x0100;
const AD = 0x0020;
const CD = 0x0010;

/** All replies that are right, or none: then the query must go on as it came. */
export function expectedReplies(asked: Asked, entries: readonly TestAnswer[]): readonly Uint8Array[] {
  const question = readQuestion(asked.query);
  if (question === undefined || question.type === DS) return [];
  const found = entries.find((entry) => isFor(entry, question, asked.view));
  if (found === undefined) return [];
  const age = Math.max(0, Math.floor(asked.ageSeconds(found)));
  if (asked.ageSeconds(found) >= (found.untilSeconds ?? found.ttlSeconds) || age >= found.ttlSeconds)
    return [];
  const udpSize = question.opt?.udpSize ?? 0;
  if (found.limitBytes !== undefined && udpSize > found.limitBytes) return [];
  const replies = orders(found).map((answers) => build(asked.query, question, { ...found, answers }, age));
  const length = replies[0]?.length ?? 0;
  return length <= Math.max(512, udpSize) && length <= (asked.family === 4 ? 1480 : 1220) ? replies : [];
}

function isFor(entry: TestAnswer, question: Question, view: number): boolean {
  const name = (labels: readonly string[]) => labels.map(asciiLowerCase).join('\u0100');
  return (
    entry.view === view &&
    entry.type === question.type &&
    (entry.dnssecOk ?? false) === (question.opt?.dnssecOk ?? false) &&
    (entry.checkingDisabled ?? false) === ((question.flags & CD) !== 0) &&
    name(entry.labels) === name(question.labels)
  );
}

/** RFC 4343 section 3: no other letters are alike. */
export function asciiLowerCase(label: string): string {
  return label.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function readQuestion(query: Uint8Array): Question | undefined {
  if (query.length < 12) return undefined;
  const view = new DataView(query.buffer, query.byteOffset, query.byteLength);
  const [flags, questions, answers, authorities, additionals] = [2, 4, 6, 8, 10].map((at) =>
    view.getUint16(at),
  );
  // QR, and an opcode of 0.
  if (flags === undefined || (flags & 0xf800) !== 0) return undefined;
  if (questions !== 1 || answers !== 0 || authorities !== 0) return undefined;
  const name = readName(query);
  if (name === undefined || name.end + 4 > query.length || view.getUint16(name.end + 2) !== 1)
    return undefined;
  const question = { labels: name.labels, type: view.getUint16(name.end), end: name.end + 4, flags };
  if (additionals === 0) return question.end === query.length ? question : undefined;
  const opt = additionals === 1 ? readOpt(query, question.end) : undefined;
  return opt && { ...question, opt };
}

/** RFC 1035 section 3.1; no pointers, which make no sense in the first name. */
function readName(query: Uint8Array): { labels: readonly string[]; end: number } | undefined {
  const labels: string[] = [];
  for (let at = 12; at < query.length; ) {
    const size = query[at] ?? 0;
    if (size > 63 || at + 1 - 12 > 255) return undefined;
    if (size === 0) return { labels, end: at + 1 };
    if (at + 1 + size > query.length) return undefined;
    labels.push(String.fromCharCode(...query.subarray(at + 1, at + 1 + size)));
    at += 1 + size;
  }
  return undefined;
}

function readOpt(query: Uint8Array, at: number): Question['opt'] {
  if (query.length < at + 11) return undefined;
  const view = new DataView(query.buffer, query.byteOffset, query.byteLength);
  const data = query.slice(at + 11);
  if (view.getUint8(at) !== 0 || view.getUint16(at + 1) !== OPT || view.getUint8(at + 6) !== 0)
    return undefined;
  if (view.getUint16(at + 9) !== data.length || (data.length !== 0 && !isLoneCookie(data))) return undefined;
  return { udpSize: view.getUint16(at + 3), dnssecOk: (view.getUint8(at + 7) & 0x80) !== 0, data };
}

/** RFC 7873 section 4: 8 bytes, or with the server's part 16 to 40. */
function isLoneCookie(data: Uint8Array): boolean {
  if (data.length < 4) return false;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const length = view.getUint16(2);
  if (view.getUint16(0) !== COOKIE || length !== data.length - 4) return false;
  return length === 8 || (length >= 16 && length <= 40);
}

function orders(answer: TestAnswer): readonly (readonly TestRecord[])[] {
  const { answers, rotate } = answer;
  const start = runStart(answer);
  if (rotate !== true || answers.length - start < 2) return [answers];
  const [chain, run] = [answers.slice(0, start), answers.slice(start)];
  return run.map((_, first) => [...chain, ...run.slice(first), ...run.slice(0, first)]);
}

/** The first answer that is no CNAME. */
export function runStart({ answers }: TestAnswer): number {
  const start = answers.findIndex(({ type }) => type !== CNAME);
  return start < 0 ? answers.length : start;
}

function build(query: Uint8Array, question: Question, entry: TestAnswer, age: number): Uint8Array {
  const { opt, flags } = question;
  const sections = [entry.answers, entry.authorities ?? [], entry.additionals ?? []];
  const [answers, authorities, additionals] = sections.map(({ length }) => length);
  const ttl = entry.keepTtl === true ? entry.ttlSeconds : entry.ttlSeconds - age;
  const wantsAuthentic = opt?.dnssecOk === true || (flags & AD) !== 0;
  const ownFlags =
    (entry.rcode ?? 0) |
    (entry.recursionAvailable === true ? 0x80 : 0) |
    (entry.authenticData === true && wantsAuthentic ? AD : 0);
  const header = [0x8400 | (flags & (RD | CD)) | ownFlags, 1, answers ?? 0, authorities ?? 0];
  return Uint8Array.from([
    ...query.subarray(0, 2),
    ...[...header, (additionals ?? 0) + (opt ? 1 : 0)].flatMap(u16),
    ...query.subarray(12, question.end),
    ...sections.flat().flatMap((record) => recordBytes(record, ttl)),
    ...(opt
      ? [
          0,
          ...u16(OPT),
          ...u16(opt.udpSize),
          0,
          0,
          opt.dnssecOk ? 0x80 : 0,
          0,
          ...u16(opt.data.length),
          ...opt.data,
        ]
      : []),
  ]);
}

/** RFC 1035 section 4.1.3. */
export function recordBytes({ owner, type, data }: TestRecord, ttl: number): readonly number[] {
  return [
    ...(owner ?? [0xc0, 12]),
    ...u16(type),
    ...u16(1),
    ...u16(ttl >>> 16),
    ...u16(ttl & 0xffff),
    ...u16(data.length),
    ...data,
  ];
}

export function u16(value: number): readonly number[] {
  return [(value >> 8) & 0xff, value & 0xff];
}
