/** `loadbalance [round_robin | weighted FILE] { reload DURATION; prefer CIDR… }`, once per block. */
import { resolve } from 'node:path';
import type { Directive, OptionLine, Token } from '../../corefile/ast.ts';
import { TYPE } from '../../dns/codes.ts';
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import type { Host, PluginInstance, Setup } from '../contract.ts';
import {
  durationArg,
  expectArgs,
  onlyArg,
  onlyDirective,
  quote,
  unknownProperty,
  wrongDirective,
} from '../directive.ts';
import { type Arrangement, loadbalance } from './plugin.ts';
import { preferring } from './prefer.ts';
import { shuffled } from './shuffle.ts';
import { WeightFile } from './weight-file.ts';
import { weighted } from './weighted.ts';

const PLUGIN = 'loadbalance';
const DEFAULT_RELOAD_MS = 30_000;
/** Queries whose answers lead to addresses. */
const WEIGHTED_TYPES: ReadonlySet<number> = new Set([TYPE.A, TYPE.AAAA, TYPE.SRV]);

export const setup: Setup = ({ directives, host }) => {
  const directive = onlyDirective(directives);
  const file = readPolicy(directive);
  const { prefer, reloadMs } = readOptions(directive.body ?? [], file !== undefined);
  if (file !== undefined) return setUpWeighted(file, { prefer, reloadMs, host });
  const arrange: Arrangement = (records) => shuffled(records, host.random);
  // Packet threads shuffle by themselves, but know nothing of networks.
  if (prefer.length === 0) return { plugin: loadbalance(arrange), replay: { does: 'shuffle' } };
  return { plugin: loadbalance(withPreference(arrange, prefer)) };
};

/** The weight file, or nothing for `round_robin`. */
function readPolicy(directive: Directive): Token | undefined {
  const [policy, file, tooMany] = directive.args;
  if (policy === undefined || policy.text === 'round_robin') {
    expectArgs(PLUGIN, directive, 0, 1);
    return undefined;
  }
  if (policy.text !== 'weighted') {
    throw wrongDirective(PLUGIN, policy, `unknown policy: ${policy.text}`, {
      hint: 'The policies are: round_robin, weighted',
    });
  }
  if (file === undefined) throw wrongDirective(PLUGIN, policy, 'missing weight file argument');
  if (tooMany !== undefined) throw wrongDirective(PLUGIN, tooMany, 'unexpected argument(s)');
  return file;
}

interface Options {
  readonly prefer: readonly Prefix[];
  readonly reloadMs: number;
}

function readOptions(lines: readonly OptionLine[], isWeighted: boolean): Options {
  const prefer: Prefix[] = [];
  let reloadMs = DEFAULT_RELOAD_MS;
  for (const line of lines) {
    const { text } = line.name;
    if (text === 'prefer') {
      prefer.push(...expectArgs(PLUGIN, line, 1, Number.POSITIVE_INFINITY).map(readNetwork));
    } else if (text === 'reload' && isWeighted) {
      reloadMs = durationArg(PLUGIN, onlyArg(PLUGIN, line));
    } else {
      throw unknownProperty(PLUGIN, line.name, isWeighted ? ['reload', 'prefer'] : ['prefer']);
    }
  }
  return { prefer, reloadMs };
}

function readNetwork(token: Token): Prefix {
  const prefix = parsePrefix(token.text);
  if (prefix !== undefined) return prefix;
  throw wrongDirective(PLUGIN, token, `invalid CIDR ${quote(token.text)}`);
}

function setUpWeighted(
  file: Token,
  { prefer, reloadMs, host }: Options & { readonly host: Host },
): PluginInstance {
  const path = resolve(host.directory, file.text);
  const source = new WeightFile({ path, reloadMs, clock: host.clock, log: host.log });
  const arrange: Arrangement = (records, { section, qtype }) => {
    if (section === 'authorities' || !WEIGHTED_TYPES.has(qtype)) return records;
    return weighted(records, source.weights, host.random);
  };
  return {
    plugin: loadbalance(withPreference(arrange, prefer)),
    async onStart() {
      const fault = await source.start();
      if (fault !== undefined) throw wrongDirective(PLUGIN, file, fault);
    },
    onShutdown: () => source.close(),
  };
}

function withPreference(arrange: Arrangement, networks: readonly Prefix[]): Arrangement {
  return (records, place) => {
    const arranged = arrange(records, place);
    return place.section === 'authorities' ? arranged : preferring(arranged, networks);
  };
}
