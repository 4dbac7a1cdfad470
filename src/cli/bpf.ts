/**
 * `zerohop bpf`: the kernel's own maps on each node. `lb list` is what they redirect, in the layout of `cilium-dbg bpf lb list`;
 * `answers list` is what the kernel answers by itself.
 */
import { type DiscoverOptions, discoverAgents } from '../agent/discover.ts';
import { formatAnswerList } from '../agent/lists/answer-list.ts';
import { formatLbList, lbListJson } from '../agent/lists/lb-list.ts';
import type { AnswerListing, LbListing } from '../agent/wire.ts';
import type { Command } from './main.ts';
import { type ListFlags, type PerNode, printPerNode } from './per-node.ts';
import { createProgram, runProgram, warnOfSilence } from './program.ts';

const LB: Listing<LbListing> = {
  about: 'every frontend in slot 0, and its backends in the slots from 1',
  ask: (client) => client.lb(),
  text: ({ rows }) => formatLbList(rows),
  json: ({ rows }) => lbListJson(rows),
};

const ANSWERS: Listing<AnswerListing> = {
  about: 'every name that it would answer now, with the listener of the cache that it stands for',
  ask: (client) => client.answers(),
  text: formatAnswerList,
  json: ({ entries, left }) => ({ entries, left }),
};

export const run: Command = async (args) => {
  const program = createProgram('zerohop bpf', "The kernel's own maps.");
  addList(program.command('lb').description('redirected frontends and where they lead'), LB);
  addList(program.command('answers').description('what the kernel answers without a cache'), ANSWERS);
  return (await runProgram(program, args)) ?? 0;
};

interface Listing<T> extends Omit<PerNode<T>, 'agents'> {
  readonly about: string;
}

function addList<T>(command: ReturnType<typeof createProgram>, { about, ...listing }: Listing<T>): void {
  command
    .command('list', { isDefault: true })
    .alias('ls')
    .description(about)
    .option('-o, --output <layout>', 'text, json, yaml', 'text')
    .option('--server <socket>', 'the agent to ask: unix:///path (or ZEROHOP_SERVER)')
    .option('--node <name>', 'only the agent of this node')
    .action(async (flags: ListFlags & DiscoverOptions) => {
      await printPerNode(flags, {
        ...listing,
        agents: await discoverAgents({ ...flags, onSilent: warnOfSilence }),
      });
    });
}
