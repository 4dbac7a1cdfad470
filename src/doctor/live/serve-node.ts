/**
 * The doctor's process on a node (`zerohop doctor-node`): answers questions that come as lines, and ends with its input. It
 * looks, and sends queries; it changes nothing. In the network namespace of the node, which this thread must be in.
 */

import { parseName, ROOT } from '../../dns/name.ts';
import { errorText } from '../../fault/app-error.ts';
import type { Flow, GetFlowsRequest, GetFlowsResponse } from '../../flow/api.ts';
import type { Clock } from '../../telemetry/clock.ts';
import { type PodProbes, probePods } from '../probe/probe-pods.ts';
import { probeUpstreams } from '../probe/upstream.ts';
import type { AgentFacts } from '../site/agent-facts.ts';
import { type Known, known, knownOr, unknown } from '../site/known.ts';
import { readConntrack, sampleConntrack } from '../site/node/conntrack.ts';
import { gatherNode } from '../site/node/gather-node.ts';
import type { NodeFacts } from '../site/node-facts.ts';
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
  type ProbeOrigin,
  parseQuestion,
} from './node-protocol.ts';
import { sumFlows } from './sum-flows.ts';

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
/** A log of a busy node has tens of thousands of flows of the last seconds to be looked through. */
const FLOWS_MS = 3000;
/** Longer than a healthy answer takes. */
const QUIET_MS = 400;
/** Agents empty the kernel's ring four times a second (event-reader.ts): what was sent just now is not in their log yet. */
const SETTLED_MS = 400;
/** The longest that somebody may give a doctor, in times of what it takes by default. */
const MOST_PATIENCE = 7;
/** Of the probes alone: each is a handful. */
const MAX_FLOWS = 20_000;

export async function* serveNode(
  lines: AsyncIterable<string>,
  options: ServeNodeOptions,
): AsyncGenerator<NodeAnswer, void, void> {
  let agent: LocalAgent | undefined;
  let node = '';
  try {
    for await (const line of lines) {
      const question = parseQuestion(line);
      if (question?.kind === 'look') {
        ({ node } = question);
        const agentMs = AGENT_MS * patienceOf(question);
        const found = await within(options.clock, agentMs, () => options.findAgent(question.node));
        agent = 'value' in found ? found.value : undefined;
        yield await look(question, found, options);
      } else if (question?.kind === 'flows') {
        const { clock, randomId } = options;
        const [flows, upstreams] = await Promise.all([
          flowsOf(question, { agent, node, clock }),
          within(clock, FLOWS_MS * patienceOf(question), () =>
            probeUpstreams(question.upstreams, { clock, randomId }),
          ),
        ]);
        yield { kind: 'flows', upstreams, ...flows };
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
  const probing = probe(question, options);
  // Reading keeps this thread from hearing answers, and a fast answer must not look slow; a late one is waited for beside it.
  await Promise.race([probing, pause(clock, QUIET_MS)]);
  const [probes, facts, told] = await Promise.all([
    probing,
    gatherNode({
      clock,
      addresses: question.addresses,
      hookDirectory,
      rulesTimeoutMs: TOOLS_MS * patienceOf(question),
      ownProcessesOnly: options.sharesMachine,
    }),
    askAgent(agent, clock, AGENT_MS * patienceOf(question)),
  ]);
  // Entries of the probes are there only now.
  const conntrack = attemptKnown(() =>
    readConntrack(clock.monotonicMs(), 'value' in before ? before.value : undefined),
  );
  return {
    kind: 'look',
    version: PROTOCOL_VERSION,
    facts: { ...facts, conntrack, resolvConf: resolvConfOf(facts, question.addresses) },
    probes,
    ...told,
  };
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
  timeoutMs: number,
): Promise<Pick<AgentFacts, 'status' | 'policies'>> {
  if (!('value' in found)) return { status: found, policies: found };
  const agent = found.value;
  if (agent === undefined) {
    return { status: known(undefined), policies: unknown('there is no zerohop agent on this node') };
  }
  const [status, policies] = await Promise.all([
    within(clock, timeoutMs, () => agent.status()),
    within(clock, timeoutMs, () => agent.policies()),
  ]);
  return { status, policies };
}

/** The doctor may be of another version, and what it says is looked at: at least as long as usual, and not for ever. */
function patienceOf({ patience = 1 }: LookQuestion | FlowsQuestion): number {
  return Math.min(Math.max(patience, 1), MOST_PATIENCE);
}

function pause(clock: Pick<Clock, 'after'>, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
}

/**
 * What kubelet gives to pods with policy Default need not be the node's own file (--resolv-conf): a DNS server that runs
 * here was given it, and has it before its eyes. Not one that asks the cluster itself.
 */
function resolvConfOf(
  { processes, resolvConf }: NodeFacts,
  clusterDns: readonly string[],
): NodeFacts['resolvConf'] {
  const given = knownOr(processes, []).flatMap(({ args, resolvConf: own }) =>
    own !== undefined && args.includes('-conf') && !own.nameservers.some((ip) => clusterDns.includes(ip))
      ? [own]
      : [],
  );
  return given[0] === undefined ? resolvConf : known(given[0]);
}

interface Flowing extends Pick<ServeNodeOptions, 'clock'> {
  readonly agent: LocalAgent | undefined;
  readonly node: string;
}

async function flowsOf(
  question: FlowsQuestion,
  { agent, node, clock }: Flowing,
): Promise<Pick<FlowsAnswer, 'flows' | 'summary'>> {
  const ask = agent?.flows;
  if (ask === undefined) {
    const why = unknown(
      agent === undefined ? 'there is no agent to ask for flows' : 'the agent keeps no flows',
    );
    return { flows: why, summary: why };
  }
  const { origins, sum } = question;
  const timeoutMs = FLOWS_MS * patienceOf(question);
  const askedAtMs = clock.nowMs();
  await pause(clock, SETTLED_MS);
  const [flows, summaries] = await Promise.all([
    within(clock, timeoutMs, (signal) =>
      probeFlows(ask(flowsRequest(origins, askedAtMs - question.agoMs), signal)),
    ),
    sum === undefined ? undefined : sumFlows([{ node, flows: ask }], { clock, timeoutMs, ...sum }),
  ]);
  const summary = summaries?.get(node);
  return { flows, ...(summary === undefined ? {} : { summary }) };
}

async function probeFlows(responses: AsyncIterable<GetFlowsResponse>): Promise<readonly Flow[]> {
  const found: Flow[] = [];
  for await (const { flow } of responses) {
    if (flow !== undefined) found.push(flow);
    if (found.length >= MAX_FLOWS) break;
  }
  return found;
}

/** Of queries alone: who sends from these ports is known, who answers is asked. */
function flowsRequest(origins: readonly ProbeOrigin[], sinceMs: number): GetFlowsRequest {
  const sent = origins.filter(({ port }) => port !== 0);
  return {
    since: new Date(sinceMs).toISOString(),
    whitelist: [
      {
        source_ip: [...new Set(sent.flatMap(({ addresses }) => addresses))],
        source_port: [...new Set(sent.map(({ port }) => String(port)))],
      },
    ],
  };
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
