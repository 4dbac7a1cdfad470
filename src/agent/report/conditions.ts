/**
 * The conditions of a policy's status: read from the object, compared, and written so that only what changed changes.
 * Conditions of types that are not ours stay as they are.
 *
 * `observedGeneration`: the definition has no status subresource, so writing the status is a change like others and makes
 * the generation grow by one. What we write is therefore the generation that our own write will make, and a difference
 * in this number alone is never a reason to write: two would chase each other for ever.
 */
import { itemsOf, type JsonRecord, recordOf, textOf } from '../../kube/json-fields.ts';
import type { Verdict } from './fold-reports.ts';

/** A condition (meta/v1) as it stands in an object. */
export type ConditionJson = JsonRecord;

export interface ConditionInput {
  /** status.conditions as it came. */
  readonly current: unknown;
  readonly verdicts: readonly Verdict[];
  /** metadata.generation of the object as it is now. */
  readonly generation: number;
  readonly nowMs: number;
}

/** The whole list for a merge patch; undefined when the object says so already. */
export function changeConditions(input: ConditionInput): readonly ConditionJson[] | undefined {
  const current = itemsOf(input.current).map(recordOf);
  const known = (verdict: Verdict) => current.find(({ type }) => type === verdict.type);
  if (input.verdicts.every((verdict) => says(known(verdict), verdict))) return undefined;
  const ours = new Set<unknown>(input.verdicts.map(({ type }) => type));
  return [
    ...current.filter(({ type }) => !ours.has(type)),
    ...input.verdicts.map((verdict) => conditionOf(verdict, known(verdict), input)),
  ];
}

function says(condition: ConditionJson | undefined, verdict: Verdict): boolean {
  return (
    condition?.status === verdict.status &&
    condition.reason === verdict.reason &&
    condition.message === verdict.message
  );
}

function conditionOf(
  { type, status, reason, message }: Verdict,
  before: ConditionJson | undefined,
  { generation, nowMs }: ConditionInput,
): ConditionJson {
  const since = before?.status === status ? textOf(before.lastTransitionTime) : undefined;
  return {
    type,
    status,
    reason,
    message,
    observedGeneration: generation + 1,
    lastTransitionTime: since ?? formatSeconds(nowMs),
  };
}

/** RFC 3339 in whole seconds, as meta/v1 Time has it. */
export function formatSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** Whether the answer to a patch kept what was written: a definition whose schema does not know the field drops it. */
export function keptConditions(answer: unknown, written: readonly ConditionJson[]): boolean {
  const { conditions } = recordOf(recordOf(answer).status);
  const kept = new Set(itemsOf(conditions).map((item) => recordOf(item).type));
  return written.every(({ type }) => kept.has(type));
}
