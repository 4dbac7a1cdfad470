/**
 * What one agent says of its node's policies, and its form as text in a Lease's annotation. Whoever may write the Lease
 * may write anything: reading never throws, bounds everything and takes what does not fit as not said. Pure.
 */
import type { ObjectKey } from '../../cluster/rows.ts';
import { itemsOf, recordOf, textOf } from '../../kube/json-fields.ts';
import type { PolicyState } from '../../policy/table.ts';
import type { LrpListing, Realisation } from '../wire.ts';

export interface PolicyReport {
  readonly policy: ObjectKey;
  /** metadata.uid: a policy that was deleted and made again is another one. */
  readonly uid: string;
  readonly state: PolicyState['state'];
  readonly realised: Realisation['state'];
  /** Why it is not active or not realised; empty when all is well. At most `REASON_MAX` characters. */
  readonly reason: string;
  /** Of a refusal: the code of `policy/errors.ts`. */
  readonly code?: string;
}

export interface NodeReport {
  readonly node: string;
  readonly policies: readonly PolicyReport[];
  /** Policies that did not fit. */
  readonly omitted: number;
}

/** All annotations of an object together may have 256 KiB; every renewal writes the whole object to etcd again. */
export const REPORT_MAX_BYTES = 32 * 1024;
const REASON_MAX = 300;
/** What a reason shrinks to before whole policies are left out. */
const REASON_SHORT = 60;

const STATES: readonly PolicyState['state'][] = ['active', 'waiting', 'conflict', 'malformed'];
const REALISED: readonly Realisation['state'][] = ['done', 'pending', 'error', 'none'];

/** The agent's own view of its policies as a report. */
export function reportOf({ node, table, realised }: LrpListing): NodeReport {
  const policies = table.policies.map((state, index): PolicyReport => {
    const progress = realised[index];
    const failed = progress?.state === 'error' ? (progress.error ?? 'the kernel refused it') : undefined;
    return {
      policy: state.policy,
      uid: state.uid ?? '',
      state: state.state,
      realised: progress?.state ?? 'pending',
      reason: clean(failed ?? state.reason, REASON_MAX),
      ...(state.code === undefined ? {} : { code: state.code }),
    };
  });
  return { node, policies, omitted: 0 };
}

/** At most `REPORT_MAX_BYTES` long; equal reports give equal texts. */
export function formatReport(report: NodeReport): string {
  const whole = jsonOf(report.node, report.policies, 0);
  if (Buffer.byteLength(whole) <= REPORT_MAX_BYTES) return whole;
  const short = report.policies.map((each) => ({ ...each, reason: clean(each.reason, REASON_SHORT) }));
  let kept = short.length;
  for (;;) {
    const text = jsonOf(report.node, short.slice(0, kept), short.length - kept);
    if (Buffer.byteLength(text) <= REPORT_MAX_BYTES) return text;
    kept = Math.floor(kept * 0.9);
  }
}

function jsonOf(node: string, policies: readonly PolicyReport[], omitted: number): string {
  return JSON.stringify({
    version: 1,
    node,
    policies: policies.map(({ policy, uid, state, realised, reason, code }) => ({
      policy,
      uid,
      state,
      realised,
      ...(reason === '' ? {} : { reason }),
      ...(code === undefined ? {} : { code }),
    })),
    ...(omitted === 0 ? {} : { omitted }),
  });
}

/**
 * Undefined for what is no report of this version. Entries that say the same are one object where `shared` has it: of a
 * thousand nodes nearly all say the same of a policy.
 */
export function parseReport(
  text: string,
  shared: Map<string, PolicyReport> = new Map(),
): NodeReport | undefined {
  if (text.length > REPORT_MAX_BYTES) return undefined;
  const fields = recordOf(parseJson(text));
  const node = clean(textOf(fields.node) ?? '', 253);
  if (fields.version !== 1 || node === '') return undefined;
  const policies = itemsOf(fields.policies).flatMap((item) => {
    const policy = policyOf(item);
    return policy === undefined ? [] : [sharedEntry(policy, shared)];
  });
  return { node, policies, omitted: typeof fields.omitted === 'number' ? fields.omitted : 0 };
}

const SHARED_MAX = 10_000;

function sharedEntry(policy: PolicyReport, shared: Map<string, PolicyReport>): PolicyReport {
  const key = JSON.stringify(policy);
  const known = shared.get(key);
  if (known !== undefined) return known;
  if (shared.size >= SHARED_MAX) shared.clear();
  shared.set(key, policy);
  return policy;
}

function policyOf(item: unknown): PolicyReport | undefined {
  const fields = recordOf(item);
  const state = STATES.find((known) => known === fields.state);
  const realised = REALISED.find((known) => known === fields.realised);
  const policy = textOf(fields.policy) ?? '';
  if (state === undefined || realised === undefined || policy === '') return undefined;
  const code = textOf(fields.code);
  return {
    policy,
    uid: textOf(fields.uid) ?? '',
    state,
    realised,
    reason: clean(textOf(fields.reason) ?? '', REASON_MAX),
    ...(code === undefined || !/^[A-Z][A-Z0-9_]{0,62}$/.test(code) ? {} : { code }),
  };
}

/** One line without control and format characters, cut with an ellipsis: it ends up in conditions, events and terminals. */
export function clean(text: string, maxCharacters: number): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\s]+/gu, ' ').trim();
  return line.length <= maxCharacters ? line : `${line.slice(0, maxCharacters - 1).toWellFormed()}…`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Told by the caller as "no report".
    return undefined;
  }
}
