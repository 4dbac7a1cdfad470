/**
 * What the program at the client's interface takes for one packet: the one that hangs there, with the maps that it has, run by
 * the kernel on packets of ours (BPF_PROG_TEST_RUN), with answers for the client and without. A program that rewrites a packet
 * would have another one in its next run: so the server is stopped meanwhile, and a query that is not answered goes on as it
 * came. What an answer takes is counted while real ones are given.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { buildPacket, type PacketShape, TCP_ACK } from '../../src/datapath/testing/test-packet.ts';
import { encodeMessage } from '../../src/dns/encode-message.ts';
import { parseName } from '../../src/dns/name.ts';
import { plainQuery } from '../../src/dns/plain-query.ts';
import { type Ip, parseIp } from '../../src/net/ip.ts';
import { BPF_COMMAND, callBpf, callWithAttr } from '../../src/sys/bpf.ts';
import { checkCall } from '../../src/sys/errors.ts';
import { listFilters } from '../../src/sys/hook/filters.ts';
import { hasTcx, queryTcx } from '../../src/sys/hook/tcx.ts';
import { openLibc } from '../../src/sys/libc.ts';
import { countProgramRuns } from '../../src/sys/program-stats.ts';
import { encodeStruct, readField } from '../../src/sys/struct.ts';
import { BPF_ATTR, SK_BUFF } from '../../src/sys/uapi.gen.ts';
import { DOMAIN } from '../names.ts';
import { median, shuffled } from '../statistics.ts';
import { VIP } from '../suites/redirect.ts';
import { figure, formatTable } from '../table.ts';
import type { Bar } from '../verdict.ts';
import { fly } from './flight.ts';
import { type Stage, specOf } from './stage.ts';

const ROUNDS = 9;
/** Shorter than the scheduler's patience: of so many tries one has the processor to itself, and that is the one that counts. */
const TRIES = 8;
const RUNS = 25_000;
/** The heartbeat of the stopped server is late by then. */
const LATE_MS = 700;
const COUNTED_SECONDS = 0.5;
const PAYLOAD_BYTES = 1000;
const NOBODY = '10.99.99.99';

interface Traffic {
  readonly name: string;
  readonly limit: number;
  readonly packet: PacketShape;
}

export interface ProgramCosts {
  readonly table: string;
  readonly bars: readonly Bar[];
}

export async function measureProgramCosts(stage: Stage): Promise<ProgramCosts> {
  const answerNs = { on: await answerCost(stage, true), off: await answerCost(stage, false) };
  const kinds = trafficOf(stage);
  const costs = new Map(kinds.map((kind) => [kind, { redirect: [] as number[], answer: [] as number[] }]));
  process.kill(stage.pids.zerohop, 'SIGSTOP');
  try {
    await sleep(LATE_MS, undefined, { signal: stage.bench.signal });
    for (let round = 0; round < ROUNDS; round++) {
      for (const programs of shuffled(['redirect', 'answer'] as const)) {
        await stage.node.wish({ spec: specOf(stage, programs), flows: false });
        for (const kind of kinds) costs.get(kind)?.[programs].push(nanosOf(stage.ifindex, kind.packet));
      }
    }
  } finally {
    process.kill(stage.pids.zerohop, 'SIGCONT');
  }
  const more = ({
    answer,
    redirect,
  }: {
    readonly answer: readonly number[];
    readonly redirect: readonly number[];
  }) => answer.map((nanos, round) => nanos - (redirect[round] ?? Number.NaN));
  const rows = [...costs].map(([{ name }, each]) => [
    name,
    ...[each.redirect, each.answer, more(each)].map((all) => figure(median(all))),
  ]);
  rows.push(
    ['an answer', '-', figure(answerNs.off), '-'],
    ['an answer, with its flow', '-', figure(answerNs.on), '-'],
  );
  return {
    table: formatTable(['in the program, ns', 'answers off', 'answers on', 'more'], rows),
    bars: [...costs].map(([{ name, limit }, each]) => ({
      ...{ what: `program: ${name}, more with answers on`, limit, bound: 'most', unit: 'ns' },
      rounds: more(each),
    })),
  };
}

function trafficOf({ client }: Stage): readonly Traffic[] {
  const end = { source: ip(client.address), sourcePort: 40_000 };
  const query = {
    ...end,
    protocol: 'UDP',
    destinationPort: 53,
    payload: queryFor(`nobody-asked.${DOMAIN}`),
  } as const;
  const payload = new Uint8Array(PAYLOAD_BYTES);
  const other = { ...end, destination: ip(NOBODY), payload } as const;
  return [
    { name: 'a query without an answer here', limit: 150, packet: { ...query, destination: ip(VIP) } },
    { name: 'a query to another server', limit: 50, packet: { ...query, destination: ip(NOBODY) } },
    { name: 'other UDP', limit: 50, packet: { ...other, protocol: 'UDP', destinationPort: 4000 } },
    {
      name: 'TCP',
      limit: 50,
      packet: { ...other, protocol: 'TCP', destinationPort: 443, tcpFlags: TCP_ACK },
    },
  ];
}

/** Of one packet in nanoseconds, over many; the packet must leave the program as it came. */
function nanosOf(ifindex: number, shape: PacketShape): number {
  const packet = buildPacket(shape);
  const context = encodeStruct(SK_BUFF, { ifindex });
  const fd = openFirstProgram(ifindex);
  try {
    return Math.min(...Array.from({ length: TRIES }, () => runMany(fd, packet, context)));
  } finally {
    openLibc().close(fd);
  }
}

function runMany(fd: number, packet: Uint8Array, context: Uint8Array): number {
  const { result, attr } = callWithAttr(BPF_COMMAND.PROG_TEST_RUN, {
    'test.prog_fd': fd,
    'test.data_in': packet,
    'test.data_size_in': packet.length,
    'test.ctx_in': context,
    'test.ctx_size_in': context.length,
    'test.repeat': RUNS,
  });
  checkCall('run the program', result);
  return readField(BPF_ATTR, 'test.duration', attr);
}

/** The one that packets leaving the pod meet. */
function openFirstProgram(ifindex: number): number {
  const programs = hasTcx() ? queryTcx(ifindex, 'in') : listFilters(ifindex, 'in');
  const id = programs?.[0]?.programId ?? 0;
  return checkCall('open the program', callBpf(BPF_COMMAND.PROG_GET_FD_BY_ID, { prog_id: id }));
}

/** While the client asks one name after the other; the count takes some 20 ns of each itself. */
async function answerCost(stage: Stage, flows: boolean): Promise<number> {
  const { node, bench, client, queryFile } = stage;
  await node.wish({ spec: specOf(stage, 'answer'), flows });
  const stopCounting = countProgramRuns();
  try {
    const before = await node.wish();
    const wish = {
      client,
      address: VIP,
      inFlight: 1,
      seconds: COUNTED_SECONDS,
      queryFile,
      pids: [],
    } as const;
    const { answered } = await fly(bench, wish);
    return ((await node.wish()).programNs - before.programNs) / answered;
  } finally {
    stopCounting();
  }
}

function queryFor(text: string): Uint8Array {
  const name = parseName(text);
  if (name === undefined) throw new Error(`Not a name: ${text}`);
  return encodeMessage(plainQuery({ name, type: 1 }, { recursionDesired: true }));
}

function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`Not an address: ${text}`);
  return parsed;
}
