/**
 * `zerohop status`: what the agents say about themselves. The exit code is what a readiness probe asks for: 0 only when
 * each agent that was asked is ready.
 */
import { type DiscoverOptions, discoverAgents } from '../agent/discover.ts';
import { answerRows } from '../agent/lists/answer-rows.ts';
import { whyNotReady } from '../agent/readiness.ts';
import type { AgentStatus } from '../agent/wire.ts';
import { printable } from '../policy/printable.ts';
import { hookRows } from './hook-rows.ts';
import type { Command } from './main.ts';
import { type ListFlags, printPerNode } from './per-node.ts';
import { createProgram, runProgram } from './program.ts';

export const run: Command = async (args) => {
  let ready = true;
  const program = createProgram(
    'zerohop status',
    'How the agents of this machine are doing. Exit code 0 when each is ready: everything is listed once, and the kernel\n' +
      'took the last change; 1 otherwise, and when there is no agent.',
  )
    .option('-o, --output <layout>', 'text, json, yaml', 'text')
    .option('--server <socket>', 'the agent to ask: unix:///path (or ZEROHOP_SERVER)')
    .option('--node <name>', 'only the agent of this node')
    .option('--alive', 'exit code 0 also when it is not ready: for liveness probes')
    .action(async ({ alive = false, ...flags }: ListFlags & DiscoverOptions & { alive?: boolean }) => {
      await printPerNode(flags, {
        agents: await discoverAgents(flags),
        ask: async (client) => {
          const status = await client.status();
          ready &&= alive || whyNotReady(status) === undefined;
          return status;
        },
        text: formatStatus,
        json: (status: AgentStatus) => ({ ready: whyNotReady(status) === undefined, ...status }),
      });
    });
  return (await runProgram(program, args)) ?? (ready ? 0 : 1);
};

/** What was never listed, or is refused since, is not in force. */
function failingRows({ failing = [], synced }: AgentStatus): readonly (readonly [string, string])[] {
  const why = 'the API server gives none';
  const rows: readonly (readonly [string, readonly string[], string])[] = [
    ['Stale', failing.filter((kind) => synced.includes(kind)), 'the last ones known stay in force'],
    ['Unknown', failing.filter((kind) => !synced.includes(kind)), 'nothing is known of them'],
  ];
  return rows.flatMap(([name, kinds, then]) =>
    kinds.length === 0 ? [] : [[name, `${kinds.join(', ')}: ${why}, ${then}`] as const],
  );
}

/** Ends with a newline. */
function formatStatus(status: AgentStatus): string {
  const { counters, missing } = status;
  const reason = whyNotReady(status);
  const fellBack = Object.entries(counters.fellBack).filter(([, count]) => count !== '0');
  const total = fellBack.reduce((sum, [, count]) => sum + BigInt(count), 0n);
  const reasons = fellBack.map(([why, count]) => `${why} ${count}`).join(', ');
  const rows: readonly (readonly [string, string])[] = [
    ['Node', status.node],
    ['Ready', reason === undefined ? 'yes' : `no: ${reason}`],
    [
      'Agent',
      `version ${status.version}, process ${status.pid}, since ${new Date(status.startedAtMs).toISOString()}`,
    ],
    ...(missing.length === 0
      ? []
      : ([['Missing', `${missing.join(', ')}: not known to the API server`]] as const)),
    ...failingRows(status),
    ['Policies', tally(status.policies.map(({ state }) => state))],
    ['Interfaces', tally(status.interfaces.map(({ status: { state } }) => state))],
    ...hookRows(status),
    ['Packets', `redirected ${counters.redirected}, restored ${counters.restored}, fell back ${total}`],
    ...(fellBack.length === 0 ? [] : ([['Fell back', reasons]] as const)),
    ...answerRows(status),
    ...socketRows(status.socketPath),
    ...(status.report === undefined ? [] : ([['Report', reportText(status.report)]] as const)),
    ...flowRows(status),
  ];
  return rows.map(([name, text]) => `${name.padEnd(12)}${printable(text)}\n`).join('');
}

function flowRows({ flows, counters }: AgentStatus): readonly (readonly [string, string])[] {
  if (!flows.recording) return [['Flows', 'not recorded']];
  const lost = counters.eventsLost === '0' ? '' : `, packets lost for want of room ${counters.eventsLost}`;
  const seen = ['Flows', `seen ${flows.seen}, kept ${flows.kept} of ${flows.capacity}${lost}`] as const;
  return flows.dropsUnseen === undefined
    ? [seen]
    : [seen, ['', `packets that the kernel drops are not among them: ${flows.dropsUnseen}`]];
}

function socketRows(path: AgentStatus['socketPath']): readonly (readonly [string, string])[] {
  if (path === undefined) return [];
  const { scope, cgroup, callers, counters, ended, moved, problems, others } = path;
  if (scope === 'off') return [['Sockets', 'not redirected']];
  const fellBack = Object.entries(counters?.fellBack ?? {}).filter(([, count]) => count !== '0');
  const counted =
    counters === undefined
      ? []
      : [
          `redirected ${counters.tcp} TCP, ${counters.connected} connected UDP, ${counters.datagrams} datagrams`,
          moved === undefined ? `ended ${ended}` : `ended ${ended}, to be redirected ${moved}`,
          ...fellBack.map(([why, count]) => `fell back ${count}: ${why}`),
        ];
  const named = others.map(({ name, ahead }) => {
    const whose = name.startsWith('zh_') ? 'another agent' : name;
    return `${whose} (${ahead ? 'ahead' : 'behind'})`;
  });
  const names = new Set(named);
  return [
    ['Sockets', `scope ${scope}, ${callers} network namespaces, at ${cgroup || 'no cgroup'}`],
    ...counted.map((text) => ['', text] as const),
    ...(names.size === 0 ? [] : [['', `others there: ${[...names].join(', ')}`] as const]),
    ...problems.map((text) => ['', text] as const),
  ];
}

function reportText({ leading, leader, statusPruned, error }: NonNullable<AgentStatus['report']>): string {
  const who = leading ? 'this agent writes the status of policies' : `written by ${leader ?? 'nobody yet'}`;
  const pruned = statusPruned === true ? '; the API server drops it, see the events' : '';
  return `${who}${pruned}${error === undefined ? '' : `; ${error}`}`;
}

/** `5: 4 done, 1 error`. */
function tally(states: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  const parts = [...counts].sort().map(([state, count]) => `${count} ${state}`);
  return parts.length === 0 ? '0' : `${states.length}: ${parts.join(', ')}`;
}
