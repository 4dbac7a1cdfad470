/**
 * `zerohop doctor-node`: the doctor's process on a node, started by `zerohop doctor` in the node's network and asked by
 * lines of JSON. Hidden: nobody has a reason to type it.
 */
import { randomInt } from 'node:crypto';
import { createInterface } from 'node:readline';
import { discoverAgents } from '../../agent/discover.ts';
import type { AgentStatus } from '../../agent/wire.ts';
import type { LocalAgent } from '../../doctor/live/local-agent.ts';
import { serveNode } from '../../doctor/live/serve-node.ts';
import type { AgentSummary, KernelAnswersFact } from '../../doctor/site/agent-facts.ts';
import { errorCode } from '../../fault/app-error.ts';
import { openHubble } from '../../hubble/client.ts';
import { parseAddressPort } from '../../net/port.ts';
import { systemClock } from '../../telemetry/clock.ts';
import type { Command } from '../main.ts';
import { createProgram, endOnClosedPipe, print, runProgram } from '../program.ts';

interface Flags {
  readonly server?: string;
  readonly hookDirectory: string;
  readonly sharesMachine?: boolean;
}

export const run: Command = async (args) => {
  const program = createProgram('zerohop doctor-node', 'What zerohop doctor starts on a node.')
    .option('--server <socket>', "the node's agent; else it is looked for")
    .option('--hook-directory <path>', 'what its agent was given as --bpf-directory', '/sys/fs/bpf/zerohop')
    .option('--shares-machine', 'other nodes are on this machine, too')
    .action(serve);
  return (await runProgram(program, args)) ?? 0;
};

async function serve({ server, hookDirectory, sharesMachine = false }: Flags): Promise<void> {
  endOnClosedPipe();
  const answers = serveNode(createInterface({ input: process.stdin, terminal: false }), {
    clock: systemClock,
    randomId: () => randomInt(0x1_0000),
    findAgent: (node) => findAgent(node, server),
    hookDirectory: () => hookDirectory,
    sharesMachine,
  });
  for await (const answer of answers) await print(`${JSON.stringify(answer)}\n`);
}

async function findAgent(node: string, server: string | undefined): Promise<LocalAgent | undefined> {
  try {
    const [found] = await discoverAgents({ node, ...(server === undefined ? {} : { server }) });
    if (found === undefined) return undefined;
    const { client, hubble } = found;
    const observer = hubble === undefined ? undefined : openHubble(hubble);
    return {
      status: async () => summaryOf(await client.status()),
      policies: async () => (await client.lrp()).table.policies,
      ...(observer === undefined ? {} : { flows: observer.flows }),
      close: () => observer?.close(),
    };
  } catch (error) {
    if (errorCode(error) === 'AGENT_NOT_RUNNING') return undefined;
    throw error;
  }
}

function summaryOf(status: AgentStatus): AgentSummary {
  const { version, startedAtMs, counters, datapathError, answers } = status;
  return {
    ...{ version, startedAtMs, redirects: true },
    redirected: Number(counters.redirected),
    fellBack: Object.fromEntries(
      Object.entries(counters.fellBack).map(([why, count]) => [why, Number(count)]),
    ),
    ...(datapathError === undefined ? {} : { datapathError }),
    ...(answers === undefined ? {} : { kernelAnswers: kernelAnswersOf(answers) }),
  };
}

function kernelAnswersOf({
  on,
  problem,
  shelves,
  pods,
}: NonNullable<AgentStatus['answers']>): KernelAnswersFact {
  return {
    on,
    ...(problem === undefined ? {} : { problem }),
    served: shelves.flatMap(({ serves }) => serves.flatMap((text) => parseAddressPort(text) ?? [])),
    ...pods,
  };
}
