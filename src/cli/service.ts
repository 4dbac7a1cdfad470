/** `zerohop service list`: frontends and backends per node, in the layout of `cilium-dbg service list`. */
import { type DiscoverOptions, discoverAgents } from '../agent/discover.ts';
import type { ServiceListing } from '../agent/wire.ts';
import { formatServiceList, serviceListJson } from '../policy/print.ts';
import type { Frontend } from '../policy/table.ts';
import type { Command } from './main.ts';
import { type ListFlags, printPerNode } from './per-node.ts';
import { createProgram, runProgram, warnOfSilence } from './program.ts';

export const run: Command = async (args) => {
  const program = createProgram('zerohop service', 'The service table of the nodes.');
  program
    .command('list', { isDefault: true })
    .alias('ls')
    .description(
      'frontends, their type and where they lead; an ID is that of the kernel row of a redirected one',
    )
    .option('-o, --output <layout>', 'text, json, yaml', 'text')
    .option('--server <socket>', 'the agent to ask: unix:///path (or ZEROHOP_SERVER)')
    .option('--node <name>', 'only the agent of this node')
    .action(async (flags: ListFlags & DiscoverOptions) => {
      await printPerNode(flags, {
        agents: await discoverAgents({ ...flags, onSilent: warnOfSilence }),
        ask: (client) => client.service(),
        text: (listing: ServiceListing) => formatServiceList(frontendsOf(listing), idsOf(listing)),
        json: (listing: ServiceListing) => serviceListJson(frontendsOf(listing), idsOf(listing)),
      });
    });
  return (await runProgram(program, args)) ?? 0;
};

function frontendsOf({ rows }: ServiceListing): readonly Frontend[] {
  return rows.map(({ frontend }) => frontend);
}

function idsOf({ rows }: ServiceListing): (frontend: Frontend) => number | undefined {
  const ids = new Map(rows.map(({ frontend, id }) => [frontend, id]));
  return (frontend) => ids.get(frontend);
}
