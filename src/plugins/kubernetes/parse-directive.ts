/** The `kubernetes` directive as a whole: its zones, its defaults, and what no single line can be blamed for. */
import type { Token } from '../../corefile/ast.ts';
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
/** Pods that are over keep their addresses in the API, while others may have them already. */
const LIVE_PODS = 'status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown';

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
    zonal: false,
    multiclusterZones: [],
    startupTimeoutMs: DEFAULT_STARTUP_TIMEOUT_MS,
  };
  const parsing: Parsing = { options, need: {}, context };
  for (const line of directive.body ?? []) readOption(line, parsing);
  checkTogether(directive.name, parsing);
  return {
    options,
    need: {
      kinds: neededKinds(options),
      ...parsing.need,
      ...(options.pods === 'verified' ? { podFieldSelector: LIVE_PODS } : {}),
    },
  };
}

/** What no single line is to blame for. */
function checkTogether(at: Token, { options, need, context }: Parsing): void {
  if (options.namespaces !== undefined && need.namespaceLabelSelector !== undefined) {
    throw wrongDirective(PLUGIN, at, 'namespaces and namespace_labels cannot both be set');
  }
  if (options.zonal && !options.endpoints) {
    throw wrongDirective(PLUGIN, at, 'zonal and noendpoints cannot both be set');
  }
  const stranger = options.multiclusterZones.find((zone) => !options.zones.includes(zone));
  if (stranger !== undefined) {
    throw wrongDirective(PLUGIN, at, `is not authoritative for the multicluster zone ${stranger}`);
  }
  if (need.tls !== undefined && need.endpoint === undefined && need.kubeconfig === undefined) {
    context.host.log.warning('tls has no effect without endpoint: the service account is used');
  }
}
