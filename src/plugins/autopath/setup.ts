/** `autopath [ZONE...] RESOLV-CONF|@PLUGIN`, once in a block. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Token } from '../../corefile/ast.ts';
import { type Name, ROOT } from '../../dns/name.ts';
import { errorText } from '../../fault/app-error.ts';
import type { Host, SearchPath, Setup } from '../contract.ts';
import { expectNoOptions, onlyDirective, quote, wrongDirective } from '../directive.ts';
import { parseSearch } from '../search-list.ts';
import { matchingZone, zonesFrom } from '../zones.ts';
import { autopath } from './plugin.ts';

const PLUGIN = 'autopath';

export const setup: Setup = ({ directives, block, host }) => {
  const directive = onlyDirective(directives);
  expectNoOptions(PLUGIN, directive);
  const source = directive.args.at(-1);
  if (source === undefined) throw wrongDirective(PLUGIN, directive.name, 'no resolv-conf specified');
  const zones = zonesFrom(directive.args.slice(0, -1), block.zones);
  const handles = (name: Name) => matchingZone(zones, name) !== undefined;
  const successes = host.metrics.counter({
    name: 'coredns_autopath_success_total',
    help: 'Queries that were answered with a name further down the search path.',
    labels: ['server'],
  });
  if (source.text.startsWith('@')) {
    const word = source.text.slice(1);
    return {
      plugin: autopath({ zones, successes, searchPath: pathOf(word, host) }),
      handles,
      dependsOnClient: 'autopath goes by the search path of the pod that asks',
      onStart() {
        if (host.neighbours().searchPath(word) !== undefined) return;
        host.log.warning(`autopath has no effect: ${word} in this block knows no search paths`);
      },
    };
  }
  const search = readSearch(source, host);
  return { plugin: autopath({ zones, successes, searchPath: () => search }), handles };
};

/** The plugin is set up after this one, and is only asked when queries come. */
function pathOf(word: string, host: Host): SearchPath {
  return (query) => host.neighbours().searchPath(word)?.(query);
}

/** The list and, at its end, the name as it stands. */
function readSearch(source: Token, { directory }: Host): readonly Name[] {
  const path = resolve(directory, source.text);
  try {
    return [...parseSearch(readFileSync(path, 'utf8')), ROOT];
  } catch (error) {
    throw wrongDirective(PLUGIN, source, `failed to parse ${quote(source.text)}: ${errorText(error)}`);
  }
}
