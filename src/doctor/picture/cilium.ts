/** What is known of Cilium: whether it serves services instead of kube-proxy, and whether it was told to redirect. */
import { recordOf } from '../../kube/json-fields.ts';
import type { ClusterFacts, HelmValuesFact } from '../site/cluster-facts.ts';
import { knownOr } from '../site/known.ts';
import { objectName } from '../site/site.ts';

export interface CiliumPicture {
  readonly present: boolean;
  readonly version?: CiliumVersion;
  /** Undefined: nothing says so, neither way. */
  readonly replacesProxy?: boolean;
  readonly redirects?: boolean;
  /** What each was read from. */
  readonly evidence: readonly string[];
}

export interface CiliumVersion {
  readonly major: number;
  readonly minor: number;
  readonly text: string;
}

/** `enable-local-redirect-policy` of cilium-config, whatever Helm calls it. */
const REDIRECT_KEY = 'enable-local-redirect-policy';
const PROXY_KEY = 'kube-proxy-replacement';

export function ciliumPicture(cluster: ClusterFacts): CiliumPicture {
  const config = knownOr(cluster.ciliumConfig, undefined);
  const values = knownOr(cluster.helmValues, []).filter(isCiliumValues);
  const agent = ciliumAgent(cluster);
  const version = agent === undefined ? undefined : parseVersion(agent.image);
  const proxy = first([
    ...(config === undefined ? [] : [fromConfig(config, PROXY_KEY)]),
    ...values.map(({ source, values: all }) =>
      fromValues(source, 'kubeProxyReplacement', all.kubeProxyReplacement),
    ),
  ]);
  const redirect = first([
    ...(config === undefined ? [] : [fromConfig(config, REDIRECT_KEY) ?? absent(REDIRECT_KEY)]),
    ...values.flatMap((given) => redirectOfValues(given, version)),
  ]);
  return {
    present: config !== undefined || agent !== undefined || values.length > 0,
    ...(version === undefined ? {} : { version }),
    ...(proxy === undefined ? {} : { replacesProxy: proxy.on }),
    ...(redirect === undefined ? {} : { redirects: redirect.on }),
    evidence: [proxy?.text, redirect?.text, agent?.text].filter((text) => text !== undefined),
  };
}

/** The two names that Helm's value had: the older one is still taken by 1.18, the newer one means nothing to 1.17. */
export const REDIRECT_VALUES = {
  until117: 'localRedirectPolicy=true',
  since118: 'localRedirectPolicies.enabled=true',
} as const;

export function isBefore118(version: CiliumVersion): boolean {
  return version.major < 1 || (version.major === 1 && version.minor < 18);
}

/** Also where Cilium is a part of a larger chart, under its own name. */
export function ciliumValues(given: HelmValuesFact): Readonly<Record<string, unknown>> {
  return looksLikeCilium(given.values) ? given.values : recordOf(given.values.cilium);
}

function isCiliumValues(given: HelmValuesFact): boolean {
  return looksLikeCilium(ciliumValues(given));
}

function looksLikeCilium(values: Readonly<Record<string, unknown>>): boolean {
  return ['kubeProxyReplacement', 'localRedirectPolicy', 'localRedirectPolicies'].some(
    (key) => key in values,
  );
}

interface Setting {
  readonly on: boolean;
  readonly text: string;
}

function first(settings: readonly (Setting | undefined)[]): Setting | undefined {
  return settings.find((setting) => setting !== undefined);
}

function fromConfig(config: Readonly<Record<string, string>>, key: string): Setting | undefined {
  const value = config[key];
  if (value === undefined) return undefined;
  return {
    on: isOn(value),
    text: `ConfigMap kube-system/cilium-config has ${key}: ${JSON.stringify(value)}`,
  };
}

function absent(key: string): Setting {
  return { on: false, text: `ConfigMap kube-system/cilium-config has no ${key}` };
}

function fromValues(source: string, key: string, value: unknown): Setting | undefined {
  if (typeof value !== 'boolean' && typeof value !== 'string') return undefined;
  return { on: isOn(String(value)), text: `${source} has ${key}: ${String(value)}` };
}

function redirectOfValues(
  given: HelmValuesFact,
  version: CiliumVersion | undefined,
): readonly (Setting | undefined)[] {
  const values = ciliumValues(given);
  const newer = fromValues(
    given.source,
    'localRedirectPolicies.enabled',
    recordOf(values.localRedirectPolicies).enabled,
  );
  const older = fromValues(given.source, 'localRedirectPolicy', values.localRedirectPolicy);
  return version !== undefined && isBefore118(version) ? [older] : [newer, older];
}

/** `strict` is what 1.13 and before called it. */
function isOn(value: string): boolean {
  return /^(true|strict)$/i.test(value);
}

function ciliumAgent({ workloads }: ClusterFacts): { image: string; text: string } | undefined {
  for (const workload of knownOr(workloads, [])) {
    const container = workload.template.containers.find(({ name }) => name === 'cilium-agent');
    if (workload.kind !== 'DaemonSet' || container === undefined) continue;
    return { image: container.image, text: `${objectName('DaemonSet', workload)} runs ${container.image}` };
  }
  return undefined;
}

function parseVersion(image: string): CiliumVersion | undefined {
  const match = /:v?(\d{1,3})\.(\d{1,3})(?:\.\d+)?/.exec(image);
  if (match === null) return undefined;
  return { major: Number(match[1]), minor: Number(match[2]), text: match[0].slice(1).replace(/^v/, '') };
}
