/** The `cache` line and its options as values (dns-server 3.7). */
import type { Directive, OptionLine, Token } from '../../corefile/ast.ts';
import type { Name } from '../../dns/name.ts';
import { ROOT } from '../../dns/name.ts';
import {
  durationArg,
  expectArgs,
  integerArg,
  onlyArg,
  parseInteger,
  quote,
  unsupportedProperty,
  wrongDirective,
} from '../directive.ts';
import { zonesFrom } from '../zones.ts';

export interface ShareSpec {
  readonly entries: number;
  readonly maxTtlSeconds: number;
  readonly minTtlSeconds: number;
  /** Answers for names under these are not kept. */
  readonly except: readonly Name[];
}

export interface CacheSpec {
  readonly zones: readonly Name[];
  readonly success: ShareSpec;
  readonly denial: ShareSpec;
  /** How long SERVFAIL and NOTIMP are kept, seconds; 0 means not at all. */
  readonly servfailSeconds: number;
  readonly keepTtl: boolean;
  /** Undefined when entries are not fetched ahead. */
  readonly prefetch: { readonly hits: number; readonly gapMs: number; readonly percent: number } | undefined;
  /** Undefined when expired entries are of no use. */
  readonly stale: { readonly upToMs: number; readonly verify: boolean } | undefined;
}

const PLUGIN = 'cache';
const MAX_ENTRIES = 10_000_000;
const MAX_TTL = 0x7fff_ffff;
const MAX_SERVFAIL_MS = 300_000;
const SHARDS = 256;

const OPTIONS = ['success', 'denial', 'prefetch', 'serve_stale', 'servfail', 'disable', 'keepttl'] as const;

/** Throws an `AppError` at the first wrong token. */
export function readCacheSpec(directive: Directive, blockZones: readonly Name[]): CacheSpec {
  const [first, ...rest] = directive.args;
  const cap = first && parseInteger(first.text) !== undefined ? ttlArg(first) : undefined;
  const zones = zonesFrom(cap === undefined ? directive.args : rest, blockZones);
  let spec: CacheSpec = {
    zones,
    success: { entries: overShards(10_000), maxTtlSeconds: cap ?? 3600, minTtlSeconds: 5, except: [] },
    denial: { entries: overShards(10_000), maxTtlSeconds: cap ?? 1800, minTtlSeconds: 5, except: [] },
    servfailSeconds: 5,
    keepTtl: false,
    prefetch: undefined,
    stale: undefined,
  };
  for (const line of directive.body ?? []) spec = { ...spec, ...readOption(line, spec) };
  return spec;
}

function readOption(line: OptionLine, spec: CacheSpec): Partial<CacheSpec> {
  switch (line.name.text) {
    case 'success':
      return { success: readShare(line, spec.success) };
    case 'denial':
      return { denial: readShare(line, spec.denial) };
    case 'prefetch':
      return { prefetch: readPrefetch(line) };
    case 'serve_stale':
      return { stale: readStale(line) };
    case 'servfail':
      return { servfailSeconds: readServfail(line) };
    case 'disable':
      return readDisable(line, spec);
    case 'keepttl':
      expectArgs(PLUGIN, line, 0);
      return { keepTtl: true };
    case 'serve_stale_policy':
      throw unsupportedProperty(PLUGIN, line.name);
    default:
      throw wrongDirective(
        PLUGIN,
        line.name,
        `Wrong argument count or unexpected line ending after '${line.name.text}'`,
        { code: 'PLUGIN_UNKNOWN_OPTION', hint: `The options are: ${OPTIONS.join(', ')}` },
      );
  }
}

/** `CAP [TTL [MINTTL]]`. */
function readShare(line: OptionLine, share: ShareSpec): ShareSpec {
  const [cap = line.name, ttl, minTtl] = expectArgs(PLUGIN, line, 1, 3);
  const asked = integerArg(PLUGIN, cap, { min: 0, max: MAX_ENTRIES });
  return {
    ...share,
    entries: overShards(asked),
    ...(ttl && { maxTtlSeconds: ttlArg(ttl) }),
    ...(minTtl && { minTtlSeconds: integerArg(PLUGIN, minTtl, { min: 0, max: MAX_TTL }) }),
  };
}

/** CoreDNS splits the capacity over 256 shards of at least four entries; the sum is kept the same. */
function overShards(asked: number): number {
  return SHARDS * Math.max(4, Math.floor(asked / SHARDS));
}

function ttlArg(token: Token): number {
  const ttl = integerArg(PLUGIN, token, { max: MAX_TTL });
  if (ttl > 0) return ttl;
  throw wrongDirective(PLUGIN, token, `cache TTL can not be zero or negative: ${ttl}`);
}

/** `N [DUR [PCT%]]`. */
function readPrefetch(line: OptionLine): CacheSpec['prefetch'] {
  const [count = line.name, gap, share] = expectArgs(PLUGIN, line, 1, 3);
  const hits = integerArg(PLUGIN, count, { min: 0, max: MAX_TTL });
  const gapMs = gap === undefined ? 60_000 : durationArg(PLUGIN, gap);
  const percent = share === undefined ? 10 : percentArg(share);
  return hits === 0 ? undefined : { hits, gapMs, percent };
}

function percentArg(token: Token): number {
  const last = token.text.at(-1) ?? '';
  if (last !== '%') {
    throw wrongDirective(
      PLUGIN,
      token,
      `last character of percentage should be \`%\`, but is: ${quote(last)}`,
    );
  }
  const percent = integerArg(PLUGIN, { ...token, text: token.text.slice(0, -1) });
  if (percent >= 10 && percent <= 90) return percent;
  throw wrongDirective(PLUGIN, token, `percentage should fall in range [10, 90]: ${percent}`);
}

/** `[DUR [immediate|verify]]`; the further arguments of newer CoreDNS versions are refused. */
function readStale(line: OptionLine): CacheSpec['stale'] {
  const [upTo, mode] = expectArgs(PLUGIN, line, 0, 2);
  const upToMs = upTo === undefined ? 3_600_000 : durationArg(PLUGIN, upTo);
  if (mode !== undefined && mode.text !== 'immediate' && mode.text !== 'verify') {
    throw wrongDirective(PLUGIN, mode, `invalid value for serve_stale refresh mode: ${mode.text}`);
  }
  return { upToMs, verify: mode?.text === 'verify' };
}

function readServfail(line: OptionLine): number {
  const token = onlyArg(PLUGIN, line);
  const ms = durationArg(PLUGIN, token);
  if (ms <= MAX_SERVFAIL_MS) return Math.floor(ms / 1000);
  throw wrongDirective(
    PLUGIN,
    token,
    `caching SERVFAIL responses over 5 minutes is not permitted: ${token.text}`,
  );
}

function readDisable(line: OptionLine, spec: CacheSpec): Partial<CacheSpec> {
  const [what = line.name, ...zones] = expectArgs(PLUGIN, line, 1, Number.POSITIVE_INFINITY);
  const except = zonesFrom(zones, [ROOT]);
  switch (what.text) {
    case 'success':
      return { success: { ...spec.success, except } };
    case 'denial':
      return { denial: { ...spec.denial, except } };
    default:
      throw wrongDirective(PLUGIN, what, `cache type for disable must be "success" or "denial"`);
  }
}
