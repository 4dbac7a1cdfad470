/**
 * The option lines of the `kubernetes` directive, one reader each (dns-server 3.4, syntax table), refusing in CoreDNS's
 * words. An option that nobody knows is refused by name: ignoring it would give wrong answers quietly.
 */
import { resolve } from 'node:path';
import type { OptionLine } from '../../corefile/ast.ts';
import { ROOT } from '../../dns/name.ts';
import type { ClusterNeed, SetupContext } from '../contract.ts';
import {
  durationArg,
  expectArgs,
  onlyArg,
  parseInteger,
  quote,
  unknownProperty,
  wrongDirective,
} from '../directive.ts';
import { zonesFrom } from '../zones.ts';
import { isLabelSelector } from './label-selector.ts';
import { type KubernetesOptions, POD_MODES } from './options.ts';

const PLUGIN = 'kubernetes';
const MAX_TTL_SECONDS = 3600;

/** Filled option by option; later lines win. */
export type Draft = { -readonly [K in keyof KubernetesOptions]: KubernetesOptions[K] };

type ApiNeed = Omit<ClusterNeed, 'kinds'>;
type DraftNeed = { -readonly [K in keyof ApiNeed]: ApiNeed[K] };

/** What the lines read so far amount to. */
export interface Parsing {
  readonly options: Draft;
  readonly need: DraftNeed;
  readonly context: SetupContext;
}

type OptionReader = (line: OptionLine, parsing: Parsing) => void;

const READERS: ReadonlyMap<string, OptionReader> = new Map<string, OptionReader>([
  ['endpoint', readEndpoint],
  ['tls', readTls],
  ['kubeconfig', readKubeconfig],
  ['apiserver_qps', (line, parsing) => readLimit(line, parsing, 'perSecond')],
  ['apiserver_burst', (line, parsing) => readLimit(line, parsing, 'burst')],
  ['apiserver_max_inflight', (line, parsing) => readLimit(line, parsing, 'inFlight')],
  ['namespaces', readNamespaces],
  ['namespace_labels', readNamespaceLabels],
  ['labels', readLabels],
  ['pods', readPods],
  [
    'endpoint_pod_names',
    (line, { options }) =>
      readSwitch(line, () => {
        options.endpointPodNames = true;
      }),
  ],
  ['ttl', readTtl],
  [
    'noendpoints',
    (line, { options }) =>
      readSwitch(line, () => {
        options.endpoints = false;
      }),
  ],
  ['fallthrough', readFallthrough],
  ['ignore', readIgnore],
  ['startup_timeout', readStartupTimeout],
  ['multicluster', readMulticluster],
  [
    'zonal',
    (line, { options }) =>
      readSwitch(line, () => {
        options.zonal = true;
      }),
  ],
]);

/** Throws an `AppError` that names the option when it is unknown or wrong. */
export function readOption(line: OptionLine, parsing: Parsing): void {
  const read = READERS.get(line.name.text);
  if (read === undefined) throw unknownProperty(PLUGIN, line.name, [...READERS.keys()]);
  read(line, parsing);
}

function readEndpoint(line: OptionLine, { need, context }: Parsing): void {
  const [first] = expectArgs(PLUGIN, line, 1, Number.POSITIVE_INFINITY);
  if (first === undefined) return;
  if (line.args.length > 1) {
    context.host.log.warning(
      `Multiple endpoints have been deprecated, only the first specified endpoint '${first.text}' is used`,
    );
  }
  need.endpoint = first.text;
}

function readTls(line: OptionLine, { need, context }: Parsing): void {
  const [cert = '', key = '', ca = ''] = expectArgs(PLUGIN, line, 3).map(({ text }) => pathOf(context, text));
  need.tls = { cert, key, ca };
}

function readKubeconfig(line: OptionLine, { need, context }: Parsing): void {
  const [file, user] = expectArgs(PLUGIN, line, 1, 2);
  if (file === undefined) return;
  need.kubeconfig = { file: pathOf(context, file.text), ...(user && { context: user.text }) };
}

function pathOf({ host }: SetupContext, path: string): string {
  return resolve(host.directory, path);
}

/** Only the rate may be a fraction. 0 means what it means to Kubernetes' own client: no limit of ours. */
function readLimit(line: OptionLine, { need }: Parsing, limit: keyof NonNullable<ApiNeed['limits']>): void {
  const word = onlyArg(PLUGIN, line);
  const pattern = limit === 'perSecond' ? /^\+?(\d+\.?\d*|\.\d+)$/ : /^\+?\d+$/;
  if (!pattern.test(word.text)) {
    const kind = limit === 'perSecond' ? 'number' : 'whole number';
    throw wrongDirective(PLUGIN, word, `${line.name.text} must be a ${kind} of at least 0: ${word.text}`);
  }
  need.limits = { ...need.limits, [limit]: Number(word.text) };
}

function readNamespaces(line: OptionLine, { options }: Parsing): void {
  const names = expectArgs(PLUGIN, line, 1, Number.POSITIVE_INFINITY).map(({ text }) => text);
  options.namespaces = new Set([...(options.namespaces ?? []), ...names]);
}

function readLabels(line: OptionLine, { need }: Parsing): void {
  need.labelSelector = selectorOf(line, 'label');
}

function readNamespaceLabels(line: OptionLine, { need }: Parsing): void {
  need.namespaceLabelSelector = selectorOf(line, 'namespace_label');
}

function selectorOf(line: OptionLine, what: string): string {
  const words = expectArgs(PLUGIN, line, 1, Number.POSITIVE_INFINITY);
  const selector = words.map(({ text }) => text).join(' ');
  if (isLabelSelector(selector)) return selector;
  throw wrongDirective(
    PLUGIN,
    words[0] ?? line.name,
    `unable to parse ${what} selector value: '${selector}'`,
    {
      hint: 'Write for example: app=dns,tier in (a, b),!canary',
    },
  );
}

function readPods(line: OptionLine, { options }: Parsing): void {
  const word = onlyArg(PLUGIN, line);
  const mode = POD_MODES.find((known) => known === word.text);
  if (mode === undefined) {
    const known = 'must be one of: disabled, verified, insecure';
    throw wrongDirective(PLUGIN, word, `wrong value for pods: ${word.text},  ${known}`);
  }
  options.pods = mode;
}

function readSwitch(line: OptionLine, turn: () => void): void {
  expectArgs(PLUGIN, line, 0);
  turn();
}

function readTtl(line: OptionLine, { options }: Parsing): void {
  const word = onlyArg(PLUGIN, line);
  const ttl = parseInteger(word.text);
  if (ttl === undefined) throw wrongDirective(PLUGIN, word, `invalid ttl: ${quote(word.text)}`);
  if (ttl < 0 || ttl > MAX_TTL_SECONDS) {
    throw wrongDirective(PLUGIN, word, `ttl must be in range [0, ${MAX_TTL_SECONDS}]: ${ttl}`);
  }
  options.ttlSeconds = ttl;
}

function readFallthrough(line: OptionLine, { options }: Parsing): void {
  options.fallthrough = zonesFrom(line.args, [ROOT]);
}

function readIgnore(line: OptionLine, { options }: Parsing): void {
  const word = onlyArg(PLUGIN, line);
  if (word.text !== 'empty_service') {
    throw wrongDirective(PLUGIN, word, `unable to parse ignore value: '${word.text}'`);
  }
  options.ignoreEmptyService = true;
}

function readStartupTimeout(line: OptionLine, { options }: Parsing): void {
  options.startupTimeoutMs = durationArg(PLUGIN, onlyArg(PLUGIN, line));
}

/** Whether they are zones of the plugin is looked at when all lines have been read. */
function readMulticluster(line: OptionLine, { options }: Parsing): void {
  const words = expectArgs(PLUGIN, line, 1, Number.POSITIVE_INFINITY);
  options.multiclusterZones = [...options.multiclusterZones, ...zonesFrom(words, [])];
}
