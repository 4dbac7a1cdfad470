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
  readonly stale: StaleSpec | undefined;
  /** An answer is not given up for a denial while it may still be served stale. Only with `stale`. */
  readonly preferPositive: boolean;
}

export interface StaleSpec {
  readonly upToMs: number;
  /** Asks first, and gives the expired answer only when nothing better comes. */
  readonly verify: boolean;
  /** How long `verify` waits; 0: as long as it takes. */
  readonly timeoutMs: number;
  /** Seconds: what expired answers show. */
  readonly ttlSeconds: number;
  /** After a refresh that failed, the next one waits so long; 0: it does not. */
  readonly recheckMs: number;
}

const PLUGIN = 'cache';
const MAX_ENTRIES = 10_000_000;
const MAX_TTL = 0x7fff_ffff;
const MAX_SERVFAIL_MS = 300_000;
const MAX_RECHECK_MS = 300_000;
const SHARDS = 256;

const OPTIONS = [
  'success',
  'denial',
  'prefetch',
  'serve_stale',
  'serve_stale_policy',
  'servfail',
  'disable',
  'keepttl',
] as const;

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
    preferPositive: false,
  };
  for (const line of directive.body ?? []) spec = { ...spec, ...readOption(line, spec) };
  return { ...spec, preferPositive: spec.preferPositive && spec.stale !== undefined };
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
      return readPolicy(line);
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

/** `[DUR [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]]]`. */
function readStale(line: OptionLine): StaleSpec {
  const [upTo, mode, ...rest] = expectArgs(PLUGIN, line, 0, line.args[1]?.text === 'verify' ? 5 : 4);
  const upToMs = upTo === undefined ? 3_600_000 : durationArg(PLUGIN, upTo);
  if (mode !== undefined && mode.text !== 'immediate' && mode.text !== 'verify') {
    throw wrongDirective(PLUGIN, mode, `invalid value for serve_stale refresh mode: ${mode.text}`);
  }
  const verify = mode?.text === 'verify';
  const [timeout, ttl, recheck] = verify ? rest : [undefined, ...rest];
  return {
    upToMs,
    verify,
    timeoutMs: timeout === undefined ? 0 : durationArg(PLUGIN, timeout),
    ttlSeconds: ttl === undefined ? 0 : wholeSeconds(ttl),
    recheckMs: recheck === undefined ? 0 : recheckArg(recheck),
  };
}

function wholeSeconds(token: Token): number {
  const seconds = durationArg(PLUGIN, token) / 1000;
  if (Number.isInteger(seconds) && seconds <= MAX_TTL) return seconds;
  throw wrongDirective(PLUGIN, token, `stale response TTL must be whole seconds: ${token.text}`);
}

function recheckArg(token: Token): number {
  const ms = durationArg(PLUGIN, token);
  if (ms <= MAX_RECHECK_MS) return ms;
  throw wrongDirective(PLUGIN, token, `failure recheck over 5 minutes is not permitted: ${token.text}`);
}

function readPolicy(line: OptionLine): Partial<CacheSpec> {
  const token = onlyArg(PLUGIN, line);
  if (token.text === 'prefer_positive') return { preferPositive: true };
  throw wrongDirective(PLUGIN, token, `invalid value for serve_stale_policy: ${token.text}`, {
    hint: 'The policy is: prefer_positive',
  });
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
