/** From the observer's flags to a GetFlowsRequest (spec hubble 2.2, 2.3): what contradicts itself is refused before it is sent. */
import { RCODE } from '../../dns/codes.ts';
import { fail, ok, type Result } from '../../fault/result.ts';
import type { FlowFilter, FlowNarrow, GetFlowsRequest } from '../api.ts';
import { buildFilters } from './build-filters.ts';
import type { FilterFlag } from './filter-flags.ts';
import { badFlag } from './flag-values.ts';
import { checkFilter, parseRawFilters } from './raw-filters.ts';
import { parsePointInTime } from './time-flag.ts';

/** Names are the flags' own. */
export interface ObserveFlags {
  readonly follow?: boolean;
  readonly last?: number;
  readonly first?: number;
  readonly all?: boolean;
  readonly since?: string;
  readonly until?: string;
  /** In the order typed: `createFlagCollector`. */
  readonly filters?: readonly FilterFlag[];
  /** Filters as JSON; they are more alternatives, they never narrow what the flags ask for. */
  readonly allowlist?: readonly string[];
  readonly denylist?: readonly string[];
  /** Ours: answers with these codes, as numbers or as words such as NXDOMAIN. */
  readonly rcode?: readonly string[];
  /** Ours: answers that took at least so many milliseconds. */
  readonly slow?: string;
  /** Ours: queries of pods that entered no cache of their own node. */
  readonly bypassed?: boolean;
  /** Ours: queries that the kernel answered by itself, and its answers. */
  readonly kernelAnswered?: boolean;
  /** Ours: --port beside an endpoint's flag is that endpoint's own port, as the stock CLI has it. */
  readonly sameSide?: boolean;
  /** Rows are read from a file: nothing is left out unless asked. */
  readonly inputFile?: string;
  readonly fieldMask?: readonly string[];
}

export const DEFAULT_LAST = 20;
/** The stock CLI's own word for all: the largest number there is. */
const ALL = '18446744073709551615';

export function flowsRequest(flags: ObserveFlags, nowNs: bigint): Result<GetFlowsRequest> {
  const conflict = countConflict(flags);
  if (conflict !== undefined) return fail('FLOW_REQUEST_INVALID', undefined, conflict);
  const window = windowOf(flags, nowNs);
  if (!window.ok) return window;
  const whitelist = filtersOf(flags, false);
  if (!whitelist.ok) return whitelist;
  const blacklist = filtersOf(flags, true);
  if (!blacklist.ok) return blacklist;
  const narrow = narrowOf(flags);
  if (!narrow.ok) return narrow;
  const { fieldMask = [] } = flags;
  return ok({
    ...countOf(flags),
    ...(flags.follow === true ? { follow: true } : {}),
    ...window.value,
    ...(whitelist.value.length === 0 ? {} : { whitelist: whitelist.value }),
    ...(blacklist.value.length === 0 ? {} : { blacklist: blacklist.value }),
    ...(fieldMask.length === 0 ? {} : { field_mask: { paths: fieldMask } }),
    ...(Object.keys(narrow.value).length === 0 ? {} : { narrow: narrow.value }),
  });
}

function countConflict({
  first = 0,
  last = 0,
  all = false,
  follow = false,
}: ObserveFlags): string | undefined {
  if (first > 0 && last > 0) return '--first and --last cannot be combined';
  if (first > 0 && all) return '--first and --all cannot be combined';
  if (first > 0 && follow) return '--first and --follow cannot be combined';
  return last > 0 && all ? '--last and --all cannot be combined' : undefined;
}

function countOf(flags: ObserveFlags): Pick<GetFlowsRequest, 'number' | 'first'> {
  const { first = 0, last = 0, all = false, follow = false, since, until, inputFile } = flags;
  if (first > 0) return { number: first, first: true };
  if (last > 0) return { number: last };
  if (since !== undefined || until !== undefined) return {};
  if (all) return { number: ALL };
  return follow || inputFile !== undefined ? {} : { number: DEFAULT_LAST };
}

/** Following has no end: `--until` is left out then. */
function windowOf(flags: ObserveFlags, nowNs: bigint): Result<Pick<GetFlowsRequest, 'since' | 'until'>> {
  const window: { since?: string; until?: string } = {};
  for (const bound of ['since', 'until'] as const) {
    const text = flags[bound];
    if (text === undefined || (bound === 'until' && flags.follow === true)) continue;
    const time = parsePointInTime(text, nowNs);
    if (time === undefined)
      return badFlag(bound, 'a duration such as 5m, or a date such as 2006-01-02', text);
    window[bound] = time;
  }
  return ok(window);
}

function filtersOf(flags: ObserveFlags, denied: boolean): Result<readonly FlowFilter[]> {
  const typed = (flags.filters ?? []).filter(({ not = false }) => not === denied);
  const built = buildFilters(typed, { sameSide: flags.sameSide ?? false });
  if (!built.ok) return built;
  for (const filter of built.value) {
    const checked = checkFilter(filter);
    if (!checked.ok) return checked;
  }
  const raw = parseRawFilters(
    (denied ? flags.denylist : flags.allowlist) ?? [],
    denied ? 'denylist' : 'allowlist',
  );
  return raw.ok ? ok([...built.value, ...raw.value]) : raw;
}

function narrowOf(flags: ObserveFlags): Result<FlowNarrow> {
  const { rcode: words = [], slow, bypassed = false, kernelAnswered = false } = flags;
  const rcodes: number[] = [];
  for (const word of words) {
    const rcode = parseRcode(word);
    if (rcode === undefined) return badFlag('rcode', 'a number or a word such as NXDOMAIN', word);
    rcodes.push(rcode);
  }
  if (slow !== undefined && !/^\d{1,9}(\.\d{1,6})?$/.test(slow)) return badFlag('slow', 'milliseconds', slow);
  return ok({
    ...(rcodes.length === 0 ? {} : { rcode: rcodes }),
    ...(slow === undefined ? {} : { slow_ms: Number(slow) }),
    ...(bypassed ? { bypassed } : {}),
    ...(kernelAnswered ? { kernel_answered: true } : {}),
  });
}

function parseRcode(text: string): number | undefined {
  if (/^\d{1,4}$/.test(text)) return Number(text) < 4096 ? Number(text) : undefined;
  const found = Object.entries(RCODE).find(([word]) => word === text.toUpperCase());
  return found?.[1];
}
