/**
 * What a change of the cluster costs the agent, from the row that changed to the datapath, and what the agent holds: in a
 * small cluster, in one ten times as large, and in one twice that. The datapath is the one without a kernel, except in the
 * agent process, which is the real one.
 */

import { WantedState } from '../../src/agent/wanted-state.ts';
import { changedTable } from '../../src/cluster/layered-table.ts';
import { type ObjectKey, objectKey } from '../../src/cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT, type KindName } from '../../src/cluster/snapshot.ts';
import { createFakeKernel, openFakeDatapath } from '../../src/datapath/fake-datapath.ts';
import { KIND_SOURCES } from '../../src/kube/convert/kind-sources.ts';
import { derive as deriveAnew } from '../../src/policy/derive.ts';
import { createDeriver, type Deriver } from '../../src/policy/deriver.ts';
import { listFrontends } from '../../src/policy/list-frontends.ts';
import { systemClock } from '../../src/telemetry/clock.ts';
import { type ClusterSize, collectionsOf, NODE, pod, slice } from '../generated-cluster.ts';
import { type AgentFigures, measureAgent } from '../measured-agent.ts';
import { median, quantile } from '../statistics.ts';
import type { Bench, Suite, SuiteReport } from '../suite.ts';
import { figure, formatTable } from '../table.ts';

const SIZES: readonly ClusterSize[] = [
  { services: 1_000, endpoints: 5_000, policies: 20 },
  { services: 10_000, endpoints: 50_000, policies: 200 },
  { services: 20_000, endpoints: 100_000, policies: 250 },
];
/** The one the bars are for. */
const JUDGED = 1;
const ROUNDS = 200;
const WARM_UP = 50;
const FULL_ROUNDS = 5;
const CHANGE_LIMIT_MS = 5;
const MEMORY_LIMIT_MB = 300;
const KINDS: readonly KindName[] = [
  'services',
  'endpointSlices',
  'pods',
  'nodes',
  'namespaces',
  'localRedirectPolicies',
];
const HEADINGS = [
  'services/endpoints/policies',
  'pod here ms',
  'p99',
  'to datapath ms',
  'other pod ms',
  'other slice ms',
  'writes',
  'anew ms',
  'service list ms',
];
const AGENT_HEADINGS = [
  'services/endpoints/policies',
  'agent at rest MB',
  'at once MB',
  'start s',
  'pod here ms',
];

export const derive: Suite = {
  name: 'derive',
  title: 'From a change of the cluster to the kernel, and what an agent holds',
  needs: [],
  run,
};

interface Figures {
  readonly derived: readonly number[];
  readonly written: readonly number[];
  readonly otherPod: readonly number[];
  readonly otherSlice: readonly number[];
  /** How often an unrelated change reached the datapath. */
  readonly writes: number;
  readonly full: readonly number[];
  readonly listing: readonly number[];
}

async function run(bench: Bench): Promise<SuiteReport> {
  const rows: string[][] = [];
  const agents: string[][] = [];
  const all: Figures[] = [];
  const held: (AgentFigures | undefined)[] = [];
  for (const size of SIZES) {
    bench.signal.throwIfAborted();
    const figures = await measure(size);
    all.push(figures);
    rows.push([sizeName(size), ...columns(figures)]);
    const agent = await measureAgent(bench, size);
    held.push(agent);
    const { restMb, peakMb, startS, changeMs } = agent ?? {
      restMb: Number.NaN,
      peakMb: Number.NaN,
      startS: Number.NaN,
      changeMs: [],
    };
    agents.push([sizeName(size), ...[restMb, peakMb, startS, median(changeMs)].map(figure)]);
  }
  const notes = held.some((agent) => agent === undefined)
    ? ['The agent itself needs root and was left out.']
    : [];
  return {
    table: `${formatTable(HEADINGS, rows)}\n\n${formatTable(AGENT_HEADINGS, agents)}`,
    bars: bars(all, held),
    notes,
  };
}

function sizeName({ services, endpoints, policies }: ClusterSize): string {
  return [services, endpoints, policies].map((count) => count.toLocaleString('en')).join(' / ');
}

function columns({ derived, written, otherPod, otherSlice, writes, full, listing }: Figures): string[] {
  const both = derived.map((ms, round) => ms + (written[round] ?? 0));
  return [
    ...[median(derived), quantile(both, 0.99), median(both), median(otherPod), median(otherSlice)].map(
      figure,
    ),
    String(writes),
    ...[median(full), median(listing)].map(figure),
  ];
}

function bars(all: readonly Figures[], held: readonly (AgentFigures | undefined)[]) {
  const [small, judged] = [all[0], all[JUDGED]];
  if (small === undefined || judged === undefined) return [];
  const both = judged.derived.map((ms, round) => ms + (judged.written[round] ?? 0));
  const agent = held[JUDGED];
  const most = { bound: 'most' as const };
  return [
    {
      ...most,
      what: 'a pod change here, derived and written',
      limit: CHANGE_LIMIT_MS,
      unit: 'ms',
      rounds: both,
    },
    {
      ...most,
      what: 'the same in the agent, real kernel',
      limit: CHANGE_LIMIT_MS,
      unit: 'ms',
      rounds: agent?.changeMs ?? [],
    },
    { ...most, what: 'writes for unrelated changes', limit: 0, unit: '', rounds: [judged.writes] },
    {
      ...most,
      what: 'derived, cluster ten times as large',
      limit: 10,
      unit: '',
      rounds: [median(judged.derived) / median(small.derived)],
    },
    {
      ...most,
      what: 'agent resident',
      limit: MEMORY_LIMIT_MB,
      unit: 'MB',
      rounds: agent === undefined ? [] : [agent.restMb],
    },
  ];
}

/** The parts of the agent between its rims, with what they are at. */
interface Rig {
  readonly size: ClusterSize;
  readonly deriver: Deriver;
  readonly wanted: WantedState;
  snapshot: ClusterSnapshot;
}

async function measure(size: ClusterSize): Promise<Figures> {
  const rig: Rig = {
    size,
    deriver: createDeriver({ nodeName: NODE }),
    wanted: new WantedState(NODE),
    snapshot: wholeSnapshot(size),
  };
  const kernel = createFakeKernel();
  const datapath = openFakeDatapath({ kernel, clock: systemClock });
  const first = rig.wanted.update(rig.snapshot, rig.deriver.update(rig.snapshot), 0);
  for (const [index, { addresses }] of first.pods.entries()) {
    for (const address of addresses)
      kernel.interfaces.set(address, { ifindex: index + 10, ifname: `veth${index}` });
  }
  await datapath.apply(first);
  const derived: number[] = [];
  const written: number[] = [];
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    // Of those that policies select, one after the other, ready and not.
    const index = Math.floor(round / 2) % size.policies;
    const { ms, spec } = change(rig, 'pods', pod(index, size.services, round % 2 === 1));
    const began = performance.now();
    await datapath.apply(spec);
    if (round < WARM_UP) continue;
    derived.push(ms);
    written.push(performance.now() - began);
  }
  const unrelated = measureUnrelated(rig);
  const full = repeat(() => deriveAnew(rig.snapshot, { nodeName: NODE }));
  const listing = repeat(() => listFrontends(rig.snapshot, rig.deriver.update(rig.snapshot)));
  datapath.close();
  return { derived, written, ...unrelated, full, listing };
}

function measureUnrelated(rig: Rig): Pick<Figures, 'otherPod' | 'otherSlice' | 'writes'> {
  const { services, endpoints } = rig.size;
  const otherPod: number[] = [];
  const otherSlice: number[] = [];
  let before = rig.wanted.update(rig.snapshot, rig.deriver.update(rig.snapshot), 0);
  let writes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const ready = round % 2 === 1;
    const elsewhere = change(rig, 'pods', pod(endpoints - 1 - (round % 100), services, ready));
    const slices = change(
      rig,
      'endpointSlices',
      slice(services - 1 - (round % 100), services, endpoints, ready),
    );
    otherPod.push(elsewhere.ms);
    otherSlice.push(slices.ms);
    if (elsewhere.spec !== before) writes++;
    if (slices.spec !== elsewhere.spec) writes++;
    before = slices.spec;
  }
  return { otherPod, otherSlice, writes };
}

/** One object changes: the milliseconds until it is known what the datapath has to be. */
function change(rig: Rig, kind: 'pods' | 'endpointSlices', object: object) {
  const converted = KIND_SOURCES[kind].convert(object);
  if (!converted.ok || converted.value === undefined) throw new Error(`Cannot use the generated ${kind}`);
  const key = objectKey(converted.value);
  const table = changedTable<unknown>(rig.snapshot[kind], new Map([[key, converted.value]]));
  rig.snapshot = {
    ...rig.snapshot,
    [kind]: table,
    generation: rig.snapshot.generation + 1,
    changed: new Map([[kind, new Set([key])]]),
  };
  const began = performance.now();
  const spec = rig.wanted.update(rig.snapshot, rig.deriver.update(rig.snapshot), 0);
  return { ms: performance.now() - began, spec };
}

function repeat(run: () => unknown): readonly number[] {
  return Array.from({ length: FULL_ROUNDS }, () => {
    const began = performance.now();
    run();
    return performance.now() - began;
  });
}

function wholeSnapshot(size: ClusterSize): ClusterSnapshot {
  const collections = collectionsOf(size);
  const tables = KINDS.map((kind) => {
    const { path, convert } = KIND_SOURCES[kind];
    const rows = new Map<ObjectKey, object>();
    const { length, object } = collections[path] ?? { length: 0, object: () => ({}) };
    for (let index = 0; index < length; index++) {
      const converted = convert(object(index));
      if (converted.ok && converted.value !== undefined)
        rows.set(objectKey(converted.value), converted.value);
    }
    return [kind, rows] as const;
  });
  return { ...EMPTY_SNAPSHOT, ...Object.fromEntries(tables), generation: 1, synced: new Set(KINDS) };
}
