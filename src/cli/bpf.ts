/** `zerohop bpf lb list`: what the kernel's maps redirect on each node, in the layout of `cilium-dbg bpf lb list`. */
import { type DiscoverOptions, discoverAgents } from '../agent/discover.ts';
import { formatLbList, lbListJson } from '../agent/lists/lb-list.ts';
import type { LbListing } from '../agent/wire.ts';
import type { Command } from './main.ts';
import { type ListFlags, printPerNode } from './per-node.ts';
import { createProgram, runProgram, warnOfSilence } from './program.ts';

export const run: Command = async (args) => {
  const program = createProgram('zerohop bpf', "The kernel's own maps.");
  const lb = program.command('lb').description('redirected frontends and where they lead');
  lb.command('list', { isDefault: true })
    .alias('ls')
    .description('every frontend in slot 0, and its backends in the slots from 1')
    .option('-o, --output <layout>', 'text, json, yaml', 'text')
    .option('--server <socket>', 'the agent to ask: unix:///path (or ZEROHOP_SERVER)')
    .option('--node <name>', 'only the agent of this node')
    .action(async (flags: ListFlags & DiscoverOptions) => {
      await printPerNode(flags, {
        agents: await discoverAgents({ ...flags, onSilent: warnOfSilence }),
        ask: (client) => client.lb(),
        text: ({ rows }: LbListing) => formatLbList(rows),
        json: ({ rows }: LbListing) => lbListJson(rows),
      });
    });
  return (await runProgram(program, args)) ?? 0;
};
