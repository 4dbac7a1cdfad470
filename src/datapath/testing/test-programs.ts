/** Test support: the pod programs with maps of their own, run on one packet at a time by BPF_PROG_TEST_RUN. */
import { ipMappedBytes } from '../../net/ip.ts';
import { PROTOCOL_NUMBERS } from '../../net/port.ts';
import { BPF_COMMAND, callWithAttr } from '../../sys/bpf.ts';
import { type BpfMap, u32Bytes } from '../../sys/bpf-map.ts';
import { checkCall } from '../../sys/errors.ts';
import { openLibc } from '../../sys/libc.ts';
import { type ProgramStats, programStats } from '../../sys/program-stats.ts';
import { RingBuffer } from '../../sys/ring/ring-buffer.ts';
import { readField } from '../../sys/struct.ts';
import { BPF_ATTR, SK_BUFF } from '../../sys/uapi.gen.ts';
import type { DatapathCounters, PacketEvent } from '../datapath.ts';
import {
  decodeFlow,
  EVENT_RING_BYTES,
  encodeBeat,
  encodeConfig,
  encodeFlow,
  encodeFlowKey,
  FLOW_REPLY,
  MAX_FLOWS,
} from '../kernel/abi.gen.ts';
import { EndpointTable } from '../kernel/endpoint-table.ts';
import { HealthTable } from '../kernel/health-table.ts';
import { KernelCounters } from '../kernel/kernel-counters.ts';
import { KernelTable } from '../kernel/kernel-table.ts';
import { loadPrograms } from '../kernel/load-program.ts';
import { openMaps } from '../kernel/pins.ts';
import { POD_OBJECT } from '../kernel/programs.gen.ts';
import { eventSink } from './event-sink.ts';
import { buildPacket, type PacketShape } from './test-packet.ts';

/** TCX_NEXT: the next program, then the stack. */
export const PASS_ON = -1;
/** TC_ACT_REDIRECT */
export const REDIRECTED = 7;

const MOST_PACKET_BYTES = 4096;

export interface RunResult {
  readonly verdict: number;
  readonly packet: Uint8Array;
}

export class TestPrograms {
  readonly table: KernelTable;
  readonly health: HealthTable;
  readonly endpoints: EndpointTable;
  readonly #maps: ReadonlyMap<string, BpfMap>;
  readonly #programs: ReadonlyMap<string, number>;
  readonly #ring: RingBuffer;

  /** `directory` is on a bpffs. `globals`: values for the programs' constants. */
  constructor(directory: string, globals: Readonly<Record<string, Uint8Array>> = {}) {
    this.#maps = openMaps(POD_OBJECT, directory);
    this.#programs = loadPrograms({ object: POD_OBJECT, maps: this.#maps, globals });
    const [frontends, slots, backends] = [this.map('frontends'), this.map('slots'), this.map('backends')];
    this.health = new HealthTable(this.map('health'));
    this.table = new KernelTable({ frontends, slots, backends }, this.health);
    this.endpoints = new EndpointTable(this.map('endpoints'));
    this.#ring = new RingBuffer(this.map('events').fd, EVENT_RING_BYTES);
    this.map('config').update(u32Bytes(0), encodeConfig({ listening: 1 }));
  }

  run(program: 'from_endpoint' | 'to_endpoint', packet: Uint8Array | PacketShape): RunResult {
    return this.#run(program, packet instanceof Uint8Array ? packet : buildPacket(packet));
  }

  /** `context`: of the packet, before and after. Of what can be set only its scratch area is kept. */
  #run(program: string, bytes: Uint8Array, context?: Uint8Array): RunResult {
    const out = new Uint8Array(MOST_PACKET_BYTES);
    const after = new Uint8Array(SK_BUFF.size);
    const { result, attr } = callWithAttr(BPF_COMMAND.PROG_TEST_RUN, {
      'test.prog_fd': this.#programs.get(program) ?? -1,
      'test.data_in': bytes,
      'test.data_size_in': bytes.length,
      'test.data_out': out,
      'test.data_size_out': out.length,
      ...(context === undefined
        ? {}
        : {
            'test.ctx_in': context,
            'test.ctx_size_in': context.length,
            'test.ctx_out': after,
            'test.ctx_size_out': after.length,
          }),
    });
    checkCall(`run ${program}`, result);
    const [cbOffset, cbBytes] = SK_BUFF.fields.cb;
    context?.set(after.subarray(cbOffset, cbOffset + cbBytes), cbOffset);
    return {
      verdict: readSigned(attr, 'test.retval'),
      packet: out.slice(0, readSigned(attr, 'test.data_size_out')),
    };
  }

  /** The same packet at the same hook by both ways that programs hang there, one after the other. */
  runTwice(program: 'from_endpoint' | 'to_endpoint', packet: PacketShape): RunResult {
    const context = new Uint8Array(SK_BUFF.size);
    const first = this.#run(program, buildPacket(packet), context);
    if (first.verdict !== PASS_ON) throw new Error('It does not come as far as the second');
    return this.#run(program, first.packet, context);
  }

  /** What the kernel counted of a program, and what its verifier looked at. */
  stats(program: 'from_endpoint' | 'to_endpoint'): ProgramStats {
    return programStats(this.#programs.get(program) ?? -1);
  }

  /** Is the answer to this packet expected to be translated? */
  remembersReplyTo(query: PacketShape, backend: PacketShape['destination']): boolean {
    return this.map('flows').lookup(replyKey(query, backend)) !== undefined;
  }

  /** Makes the memory of this packet older. */
  ageReplyTo(query: PacketShape, backend: PacketShape['destination'], seconds: number): void {
    const key = replyKey(query, backend);
    const value = this.map('flows').lookup(key);
    if (value === undefined) throw new Error('No such flow');
    const flow = decodeFlow(value);
    const seenNs = flow.seenNs - BigInt(seconds) * 1_000_000_000n;
    this.map('flows').update(key, encodeFlow({ ...flow, seenNs }));
  }

  /** Fills the flow map to the brim with flows of nobody. */
  fillFlows(): void {
    const flow = encodeFlow({ address: new Uint8Array(16), port: 1, flags: 0, ifindex: 1, seenNs: 0n });
    const nobody = { source: new Uint8Array(16), protocol: 17, direction: FLOW_REPLY, messageId: 0 };
    for (let i = 0; i < MAX_FLOWS; i++) {
      const destination = Uint8Array.of(...new Uint8Array(12), 240, i >> 16, i >> 8, i);
      const key = encodeFlowKey({ ...nobody, destination, sourcePort: 53, destinationPort: 1 });
      this.map('flows').update(key, flow);
    }
  }

  /** Puts beats of these ages into a seat, one for each thread; `null`: there is no such thread. */
  beat(seat: number, agesMs: readonly (number | null)[]): void {
    const now = process.hrtime.bigint();
    const atNs = agesMs.map((age) => (age === null ? 0n : now - BigInt(age) * 1_000_000n));
    this.map('beats').update(u32Bytes(seat), encodeBeat({ atNs }));
  }

  events(): readonly PacketEvent[] {
    const events: PacketEvent[] = [];
    const sink = eventSink((event) => events.push(event));
    this.#ring.drain((memory, at, length) => sink.packet(memory, at, length), 10_000);
    return events;
  }

  counters(): DatapathCounters {
    return new KernelCounters(this.map('counters')).read();
  }

  close(): void {
    this.#ring.close();
    for (const map of this.#maps.values()) map.close();
    for (const fd of this.#programs.values()) openLibc().close(fd);
  }

  /** Stays this object's. */
  map(name: string): BpfMap {
    const map = this.#maps.get(name);
    if (map === undefined) throw new Error(`No map ${name}`);
    return map;
  }
}

function readSigned(attr: DataView, name: 'test.retval' | 'test.data_size_out'): number {
  return readField(BPF_ATTR, name, attr) | 0;
}

/** What the answer to `query` from `backend` looks like. */
function replyKey(query: PacketShape, backend: PacketShape['destination']): Uint8Array {
  return encodeFlowKey({
    source: ipMappedBytes(backend),
    destination: ipMappedBytes(query.source),
    sourcePort: query.destinationPort,
    destinationPort: query.sourcePort,
    protocol: PROTOCOL_NUMBERS[query.protocol],
    direction: FLOW_REPLY,
    messageId: 0,
  });
}
