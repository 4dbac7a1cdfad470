/**
 * The doctor's process on a node (`zerohop doctor-node`): answers questions that come as lines, and ends with its input. It
 * looks, and sends queries; it changes nothing. In the network namespace of the node, which this thread must be in.
 */

import { parseName, ROOT } from '../../dns/name.ts';
import { errorText } from '../../fault/app-error.ts';
import type { Flow } from '../../flow/api.ts';
import type { Clock } from '../../telemetry/clock.ts';
import { type PodProbes, probePods } from '../probe/probe-pods.ts';
import type { AgentFacts } from '../site/agent-facts.ts';
import { type Known, known, unknown } from '../site/known.ts';
import { readConntrack, sampleConntrack } from '../site/node/conntrack.ts';
import { gatherNode } from '../site/node/gather-node.ts';
import { within } from './deadline.ts';
import type { FindAgent, LocalAgent } from './local-agent.ts';
import {
  type FlowsAnswer,
  type FlowsQuestion,
  type LookAnswer,
  type LookQuestion,
  type NodeAnswer,
  type NodeProbes,
  PROTOCOL_VERSION,
  parseQuestion,
} from './node-protocol.ts';

export interface ServeNodeOptions {
  readonly clock: Clock;
  /** 0 to 65535. */
  readonly randomId: () => number;
  readonly findAgent: FindAgent;
  /** Where the agent of the node pins its links. */
  readonly hookDirectory: (node: string) => string;
  /** Several nodes are on this machine, as in the lab: processes of the others are left out. */
  readonly sharesMachine: boolean;
}

/** An agent answers in milliseconds; one that does not must not keep the report. */
const AGENT_MS = 2000;
/** What other tools of the node may take: nft, iptables, kube-proxy's port. */
const TOOLS_MS = 4000;
const FLOWS_MS = 1500;
/** Of the probes alone: each is a handful. */
const MAX_FLOWS = 20_000;

export async function* serveNode(
  lines: AsyncIterable<string>,
  options: ServeNodeOptions,
): AsyncGenerator<NodeAnswer, void, void> {
  const startedAtMs = options.clock.nowMs();
  let agent: LocalAgent | undefined;
  try {
    for await (const line of lines) {
      const question = parseQuestion(line);
      if (question?.kind === 'look') {
        const found = await within(options.clock, AGENT_MS, () => options.findAgent(question.node));
        agent = 'value' in found ? found.value : undefined;
        yield await look(question, found, options);
      } else if (question?.kind === 'flows') {
        yield await flowsOf(question, agent, { ...options, startedAtMs });
      }
    }
  } finally {
    agent?.close();
  }
}

async function look(
  question: LookQuestion,
  agent: Known<LocalAgent | undefined>,
  options: ServeNodeOptions,
): Promise<LookAnswer> {
  const { clock } = options;
  const before = attempt(() => sampleConntrack(clock.monotonicMs()));
  const hookDirectory = options.hookDirectory(question.node);
  const [probes, facts, told] = await Promise.all([
    probe(question, options),
    gatherNode({
      clock,
      addresses: question.addresses,
      hookDirectory,
      rulesTimeoutMs: TOOLS_MS,
      ownProcessesOnly: options.sharesMachine,
    }),
    askAgent(agent, clock),
  ]);
  // Entries of the probes are there only now.
  const conntrack = attemptKnown(() =>
    readConntrack(clock.monotonicMs(), 'value' in before ? before.value : undefined),
  );
  return { kind: 'look', version: PROTOCOL_VERSION, facts: { ...facts, conntrack }, probes, ...told };
}

async function probe(
  question: LookQuestion,
  { clock, randomId }: ServeNodeOptions,
): Promise<Known<NodeProbes>> {
  const domain = parseName(question.domain.endsWith('.') ? question.domain : `${question.domain}.`) ?? ROOT;
  const { node, run, nameserver, udp, tcp, probeTimeoutMs: timeoutMs } = question;
  try {
    const probes = await probePods(question.pods, {
      ...{ clock, randomId, node, run, domain, timeoutMs },
      ...(nameserver === undefined ? {} : { nameserver }),
      ...(udp === undefined ? {} : { udp }),
      ...(tcp === undefined ? {} : { tcp }),
    });
    return known({ ...probes, origins: originsOf(question, probes) });
  } catch (error) {
    return unknown(errorText(error));
  }
}

function originsOf({ pods }: LookQuestion, { trails, sourcePorts }: PodProbes): NodeProbes['origins'] {
  const addresses = new Map(pods.map((pod) => [pod.key, pod.addresses]));
  return Object.fromEntries(
    trails.map(({ tag, client }) => [
      tag,
      { addresses: addresses.get(client) ?? [], port: sourcePorts.get(tag) ?? 0 },
    ]),
  );
}

async function askAgent(
  found: Known<LocalAgent | undefined>,
  clock: Clock,
): Promise<Pick<AgentFacts, 'status' | 'policies'>> {
  if (!('value' in found)) return { status: found, policies: found };
  const agent = found.value;
  if (agent === undefined) {
    return { status: known(undefined), policies: unknown('there is no zerohop agent on this node') };
  }
  const [status, policies] = await Promise.all([
    within(clock, AGENT_MS, () => agent.status()),
    within(clock, AGENT_MS, () => agent.policies()),
  ]);
  return { status, policies };
}

async function flowsOf(
  { origins }: FlowsQuestion,
  agent: LocalAgent | undefined,
  { clock, startedAtMs }: Pick<ServeNodeOptions, 'clock'> & { readonly startedAtMs: number },
): Promise<FlowsAnswer> {
  const summary = unknown('nobody sums up flows yet');
  const ask = agent?.flows;
  if (ask === undefined) {
    const why = unknown(
      agent === undefined ? 'there is no agent to ask for flows' : 'the agent keeps no flows',
    );
    return { kind: 'flows', flows: why, summary };
  }
  const sent = origins.filter(({ port }) => port !== 0);
  if (sent.length === 0) return { kind: 'flows', flows: known([]), summary };
  const flows = await within(clock, FLOWS_MS, async (signal) => {
    const found: Flow[] = [];
    const request = {
      // The probes of a node that was quicker to start may be older than this process.
      since: new Date(startedAtMs - 15_000).toISOString(),
      whitelist: [
        {
          source_ip: [...new Set(sent.flatMap(({ addresses }) => addresses))],
          source_port: [...new Set(sent.map(({ port }) => String(port)))],
        },
      ],
    };
    for await (const { flow } of ask(request, signal)) {
      if (flow !== undefined) found.push(flow);
      if (found.length >= MAX_FLOWS) break;
    }
    return found;
  });
  return { kind: 'flows', flows, summary };
}

function attempt<T>(read: () => T): Known<T> {
  try {
    return known(read());
  } catch (error) {
    return unknown(errorText(error));
  }
}

function attemptKnown<T>(read: () => Known<T>): Known<T> {
  const result = attempt(read);
  return 'value' in result ? result.value : result;
}
