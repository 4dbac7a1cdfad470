/** `k8s_external [ZONE...] { apex; ttl; headless; fallthrough }` as values, checked. */
import type { OptionLine } from '../../corefile/ast.ts';
import { joinName, type Name, ROOT } from '../../dns/name.ts';
import type { SetupContext } from '../contract.ts';
import {
  expectArgs,
  onlyArg,
  onlyDirective,
  parseInteger,
  quote,
  unknownProperty,
  wrongDirective,
} from '../directive.ts';
import { zonesFrom } from '../zones.ts';

const PLUGIN = 'k8s_external';
const DEFAULT_TTL_SECONDS = 5;
const MAX_TTL_SECONDS = 3600;

export interface ExternalOptions {
  /** At least one; lower case. PTR answers end in the first. */
  readonly zones: readonly Name[];
  /** The label below a zone that its name servers' names are under. */
  readonly apex: string;
  readonly ttlSeconds: number;
  /** Headless services without outside addresses are shown with their endpoints' own. */
  readonly headless: boolean;
  /** Where NXDOMAIN means "ask the next plugin"; empty means nowhere. */
  readonly fallthrough: readonly Name[];
}

type Draft = { -readonly [K in keyof ExternalOptions]: ExternalOptions[K] };

/** Throws an `AppError` at the first thing that is wrong. */
export function readExternalOptions({ directives, block }: SetupContext): ExternalOptions {
  const directive = onlyDirective(directives);
  const options: Draft = {
    zones: zonesFrom(directive.args, block.zones),
    apex: 'dns',
    ttlSeconds: DEFAULT_TTL_SECONDS,
    headless: false,
    fallthrough: [],
  };
  for (const line of directive.body ?? []) readOption(line, options);
  return options;
}

function readOption(line: OptionLine, options: Draft): void {
  switch (line.name.text) {
    case 'apex':
      options.apex = readApex(line);
      break;
    case 'ttl':
      options.ttlSeconds = readTtl(line);
      break;
    case 'headless':
      expectArgs(PLUGIN, line, 0);
      options.headless = true;
      break;
    case 'fallthrough':
      options.fallthrough = zonesFrom(line.args, [ROOT]);
      break;
    default:
      throw unknownProperty(PLUGIN, line.name, ['apex', 'ttl', 'headless', 'fallthrough']);
  }
}

function readApex(line: OptionLine): string {
  const word = onlyArg(PLUGIN, line);
  const isLabel = !word.text.includes('.') && joinName([word.text], ROOT) !== undefined;
  if (isLabel) return word.text.toLowerCase();
  throw wrongDirective(PLUGIN, word, `apex must be one label: ${quote(word.text)}`);
}

function readTtl(line: OptionLine): number {
  const word = onlyArg(PLUGIN, line);
  const ttl = parseInteger(word.text);
  if (ttl === undefined) throw wrongDirective(PLUGIN, word, `invalid ttl: ${quote(word.text)}`);
  if (ttl >= 0 && ttl <= MAX_TTL_SECONDS) return ttl;
  throw wrongDirective(PLUGIN, word, `ttl must be in range [0, ${MAX_TTL_SECONDS}]: ${ttl}`);
}
