/** The `kubernetes` directive as a whole: its zones, its defaults, and what no single line can be blamed for. */
import { AppError } from '../../fault/app-error.ts';
import type { ClusterNeed, SetupContext } from '../contract.ts';
import { onlyDirective, wrongDirective } from '../directive.ts';
import { zonesFrom } from '../zones.ts';
import { isReverseName } from './lookup/reverse-name.ts';
import { type Draft, type Parsing, readOption } from './option-readers.ts';
import { type KubernetesOptions, neededKinds } from './options.ts';

const PLUGIN = 'kubernetes';
const DEFAULT_TTL_SECONDS = 5;
const DEFAULT_STARTUP_TIMEOUT_MS = 5000;

export interface KubernetesDirective {
  readonly options: KubernetesOptions;
  readonly need: ClusterNeed;
}

/** Throws an `AppError` at the first thing that is wrong. */
export function parseKubernetes(context: SetupContext): KubernetesDirective {
  const directive = onlyDirective(context.directives);
  const zones = zonesFrom(directive.args, context.block.zones);
  const primaryZone = zones.find((zone) => !isReverseName(zone));
  if (primaryZone === undefined) {
    throw new AppError('PLUGIN_BAD_VALUE', `plugin/${PLUGIN}: non-reverse zone name must be used`, {
      hint: `Name the cluster's zone at ${directive.name.file}:${directive.name.line}, for example cluster.local`,
    });
  }
  const options: Draft = {
    zones,
    primaryZone,
    pods: 'disabled',
    endpointPodNames: false,
    ttlSeconds: DEFAULT_TTL_SECONDS,
    endpoints: true,
    fallthrough: [],
    ignoreEmptyService: false,
    startupTimeoutMs: DEFAULT_STARTUP_TIMEOUT_MS,
  };
  const parsing: Parsing = { options, need: {}, context };
  for (const line of directive.body ?? []) readOption(line, parsing);
  if (options.namespaces !== undefined && parsing.need.namespaceLabelSelector !== undefined) {
    throw wrongDirective(PLUGIN, directive.name, 'namespaces and namespace_labels cannot both be set');
  }
  return { options, need: { kinds: neededKinds(options), ...parsing.need } };
}
