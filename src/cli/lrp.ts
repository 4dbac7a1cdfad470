/** `zerohop lrp list`: the local redirect policies as each node has realised them, in the layout of `cilium-dbg lrp list`. */
import { type DiscoverOptions, discoverAgents } from '../agent/discover.ts';
import type { LrpListing, Realisation } from '../agent/wire.ts';
import { formatLrpList, lrpListJson } from '../policy/print.ts';
import type { Command } from './main.ts';
import { type ListFlags, printPerNode } from './per-node.ts';
import { createProgram, runProgram, warnOfSilence } from './program.ts';

export const run: Command = async (args) => {
  const program = createProgram('zerohop lrp', 'Local redirect policies of the nodes.');
  program
    .command('list', { isDefault: true })
    .alias('ls')
    .description('policies, the frontends they match and the pods these are redirected to')
    .option('-o, --output <layout>', 'text, json, yaml', 'text')
    .option('--server <socket>', 'the agent to ask: unix:///path (or ZEROHOP_SERVER)')
    .option('--node <name>', 'only the agent of this node')
    .action(async (flags: ListFlags & DiscoverOptions) => {
      await printPerNode(flags, {
        agents: await discoverAgents({ ...flags, onSilent: warnOfSilence }),
        ask: (client) => client.lrp(),
        text: (listing: LrpListing) => formatLrpList(listing.table),
        json: (listing: LrpListing) => lrpJson(listing),
      });
    });
  return (await runProgram(program, args)) ?? 0;
};

/** As the policy prints itself, with how far the kernel has come beside it, and whether its status can be kept. */
function lrpJson({ table, realised, report }: LrpListing): readonly unknown[] {
  return lrpListJson(table).map((policy, index) => ({
    ...(policy as object),
    realised: realised[index] satisfies Realisation | undefined,
    ...(report?.statusPruned === true ? { statusPruned: true } : {}),
  }));
}
