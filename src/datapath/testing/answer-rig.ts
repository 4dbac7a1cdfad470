/**
 * Test support: the pod programs with a shelf of answers, whose queries come from a pod that may be answered. What a program does
 * with a query is held against what the oracle expects, packet by packet.
 */
import { expect } from 'vitest';
import { encodeAnswerSource } from '../../answermap/answer-abi.gen.ts';
import { type Ip, ipFamily } from '../../net/ip.ts';
import { u32Bytes } from '../../sys/bpf-map.ts';
import { ENDPOINT_ANSWERED } from '../kernel/abi.gen.ts';
import { expectedReplies, type TestAnswer, u16 } from './answer-oracle.ts';
import { DNS_PORT } from './conformance.ts';
import { FAMILIES, type Family, IFINDEX, IPV4, IPV6, ProgramRig } from './program-rig.ts';
import { buildPacket, type PacketShape, type ReadPacket, readPacket } from './test-packet.ts';
import { REDIRECTED, type RunResult } from './test-programs.ts';
import { type LaidAnswer, TestShelf, wireName } from './test-shelf.ts';

export const SHELF = 3;
export const VIEW = 2;
export const OTHER_VIEW = 5;
export const A = 1;
export const RD = 0x0100;
export const AD = 0x0020;
export const CD = 0x0010;
/** So that an age is still the same when the query comes. */
const HALF_SECOND = 0.5;

export interface QueryShape {
  readonly id?: number;
  readonly labels: readonly string[];
  readonly type?: number;
  readonly class?: number;
  /** Header flags but for the opcode; default: RD. */
  readonly flags?: number;
  readonly counts?: readonly [number, number, number, number];
  readonly opt?: OptShape;
  /** Behind the end of the message. */
  readonly behind?: Uint8Array;
}

export interface OptShape {
  readonly udpSize?: number;
  readonly dnssecOk?: boolean;
  readonly version?: number;
  readonly extendedRcode?: number;
  /** Flags but DO. */
  readonly flags?: number;
  readonly owner?: readonly number[];
  readonly type?: number;
  readonly options?: readonly { readonly code: number; readonly data: Uint8Array }[];
}

export function dnsQuery(shape: QueryShape): Uint8Array {
  const { id = 0x1234, flags = RD, opt, behind = new Uint8Array() } = shape;
  const counts = shape.counts ?? [1, 0, 0, opt === undefined ? 0 : 1];
  return Uint8Array.from([
    ...[id, flags, ...counts].flatMap(u16),
    ...wireName(shape.labels),
    ...u16(shape.type ?? A),
    ...u16(shape.class ?? 1),
    ...(opt === undefined ? [] : optBytes(opt)),
    ...behind,
  ]);
}

function optBytes(opt: OptShape): readonly number[] {
  const data = (opt.options ?? []).flatMap((option) => [
    ...u16(option.code),
    ...u16(option.data.length),
    ...option.data,
  ]);
  return [
    ...(opt.owner ?? [0]),
    ...u16(opt.type ?? 41),
    ...u16(opt.udpSize ?? 1232),
    opt.extendedRcode ?? 0,
    opt.version ?? 0,
    ...u16((opt.flags ?? 0) | (opt.dnssecOk === true ? 0x8000 : 0)),
    ...u16(data.length),
    ...data,
  ];
}

export function cookie(bytes: number): { readonly code: number; readonly data: Uint8Array } {
  return { code: 10, data: Uint8Array.from({ length: bytes }, (_, i) => 0xc0 ^ (i * 37)) };
}

/** One address, 300 seconds. */
export function addressAnswer(labels: readonly string[], over: Partial<TestAnswer> = {}): TestAnswer {
  const answers = [{ type: A, data: Uint8Array.of(192, 0, 2, 33) }];
  return { labels, type: A, view: VIEW, recursionAvailable: true, ttlSeconds: 300, answers, ...over };
}

export class AnswerRig {
  readonly rig: ProgramRig;
  readonly shelf: TestShelf;
  readonly #stored: { readonly answer: TestAnswer; readonly storedNs: bigint }[] = [];

  private constructor(rig: ProgramRig) {
    this.rig = rig;
    this.shelf = TestShelf.make(rig.programs, SHELF);
  }

  static async open(label: string, globals: Readonly<Record<string, Uint8Array>> = {}): Promise<AnswerRig> {
    return new AnswerRig(await ProgramRig.open(label, globals));
  }

  get programs() {
    return this.rig.programs;
  }

  /** An empty shelf; both frontends are answered from it, and both clients may be answered. */
  reset(): void {
    this.rig.reset();
    this.shelf.clear();
    this.#stored.length = 0;
    for (const { family } of FAMILIES) {
      this.permit(family, ENDPOINT_ANSWERED);
      this.source(family, { shelf: SHELF, view: VIEW });
    }
  }

  permit(family: Family, flags: number, ifindex = IFINDEX): void {
    this.programs.endpoints.write([family.client], ifindex, flags);
  }

  source({ vip }: { readonly vip: Ip }, source: { shelf: number; view: number }): void {
    const id = this.programs.table.idOf({ address: vip, port: DNS_PORT, protocol: 'UDP' });
    if (id === undefined) throw new Error('No such frontend');
    this.programs.map('answer_sources').update(u32Bytes(id), encodeAnswerSource(source));
  }

  /** Stored so long ago, and half a second more. */
  put(answer: TestAnswer, ageSeconds = 0): LaidAnswer {
    const laid = this.shelf.put(answer, ageSeconds + HALF_SECOND);
    this.#stored.push({ answer, storedNs: laid.storedNs });
    return laid;
  }

  /** At this moment. */
  expected(query: Uint8Array, family: 4 | 6, view = VIEW): readonly Uint8Array[] {
    const nowNs = process.hrtime.bigint();
    const storedNs = new Map(this.#stored.map((stored) => [stored.answer, stored.storedNs]));
    const ageSeconds = (answer: TestAnswer) => Number(nowNs - (storedNs.get(answer) ?? nowNs)) / 1e9;
    return expectedReplies({ query, family, view, ageSeconds }, [...storedNs.keys()]);
  }

  run(packet: PacketShape | Uint8Array): RunResult {
    return this.programs.run('from_endpoint', packet);
  }

  /** Asks, and holds whatever comes of it against the oracle. */
  ask(query: Uint8Array, family: Family = IPV4, over: Partial<PacketShape> = {}): ReadPacket {
    const packet = this.rig.query(family, { payload: query, ...over });
    const before = this.expected(query, ipFamily(family.client));
    const result = this.run(packet);
    const after = this.expected(query, ipFamily(family.client));
    const isReply = readPacket(result.packet).source === family.vip;
    // A second, or its time, may have ended while it ran.
    if (before.length === 0 || (after.length === 0 && !isReply)) return this.#expectMiss(packet, result);
    return this.#expectReply(packet, result, [...before, ...after]);
  }

  expectAnswered(query: Uint8Array, family: Family = IPV4, over: Partial<PacketShape> = {}): ReadPacket {
    expect(this.expected(query, ipFamily(family.client)).length).toBeGreaterThan(0);
    return this.ask(query, family, over);
  }

  /** The packet goes on as it would without answers. */
  expectMissed(packet: PacketShape | Uint8Array): void {
    const bytes = packet instanceof Uint8Array ? packet : buildPacket(packet);
    const result = this.run(bytes);
    expect(result).toEqual(this.#withoutAnswers(bytes));
  }

  async close(): Promise<void> {
    this.shelf.close();
    await this.rig.close();
  }

  #expectMiss(packet: PacketShape, result: RunResult): ReadPacket {
    const without = this.#withoutAnswers(buildPacket(packet));
    // Thousands of times, and `expect` takes a while to find things equal.
    if (result.verdict !== without.verdict || Buffer.compare(result.packet, without.packet) !== 0)
      expect(result).toEqual(without);
    return readPacket(result.packet);
  }

  #expectReply(
    asked: PacketShape,
    { verdict, packet }: RunResult,
    expected: readonly Uint8Array[],
  ): ReadPacket {
    const reply = readPacket(packet);
    expect(verdict).toBe(REDIRECTED);
    const { destination: source, destinationPort: sourcePort, source: destination } = asked;
    expect(reply).toMatchObject({ source, sourcePort, destination, destinationPort: asked.sourcePort });
    const hex = expected.map((bytes) => Buffer.from(bytes).toString('hex'));
    expect(hex).toContain(Buffer.from(reply.payload).toString('hex'));
    expect([reply.intact, reply.noChecksum]).toEqual([true, asked.noChecksum ?? false]);
    expectHeader(packet, ipFamily(asked.source));
    return reply;
  }

  #withoutAnswers(bytes: Uint8Array): RunResult {
    const sources = [IPV4, IPV6];
    for (const family of sources) this.source(family, { shelf: 0, view: 0 });
    const result = this.run(bytes);
    for (const family of sources) this.source(family, { shelf: SHELF, view: VIEW });
    return result;
  }
}

/** RFC 791 and 8200: lengths as they are, TTL 64, no service class and no flow label; not to be fragmented. */
function expectHeader(packet: Uint8Array, family: 4 | 6): void {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const l4 = family === 4 ? 34 : 54;
  expect(view.getUint16(l4 + 4)).toBe(packet.length - l4);
  if (family === 4) {
    expect(view.getUint16(14)).toBe(0x4500);
    expect([view.getUint16(16), view.getUint16(20), view.getUint8(22)]).toEqual([
      packet.length - 14,
      0x4000,
      64,
    ]);
  } else {
    expect(view.getUint32(14)).toBe(0x60000000);
    expect([view.getUint16(18), view.getUint8(20), view.getUint8(21)]).toEqual([packet.length - 54, 17, 64]);
  }
}
