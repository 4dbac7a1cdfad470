/**
 * What becomes of one API object: a row, nothing (it is of no interest), or a refusal with its reason. A bad object is
 * named in the log once per occurrence and otherwise skipped; it must never stop the objects around it.
 */
import {
  type AnswerWish,
  type ObjectKey,
  type ObjectRow,
  objectKey,
  type RedirectWish,
} from '../../cluster/rows.ts';
import { errorText } from '../../fault/app-error.ts';
import { ok, type Result } from '../../fault/result.ts';
import type { Log } from '../../telemetry/log.ts';
import { excerpt, type JsonRecord, recordOf, textOf } from '../json-fields.ts';

/** An undefined value: the object is sound, but nobody reads it. */
export type Conversion<Row> = Result<Row | undefined, { readonly reason: string }>;

export function refuse(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}

/** The fields every row begins with; the reason when there is no name to file the object under. */
export function objectRow(object: unknown): Result<ObjectRow, { readonly reason: string }> {
  const metadata = recordOf(recordOf(object).metadata);
  const name = textOf(metadata.name) ?? '';
  if (name === '') return refuse('metadata.name is missing');
  const createdAtMs = Date.parse(textOf(metadata.creationTimestamp) ?? '');
  return ok({
    namespace: textOf(metadata.namespace) ?? '',
    name,
    uid: textOf(metadata.uid) ?? '',
    createdAtMs: Number.isNaN(createdAtMs) ? 0 : createdAtMs,
  });
}

export interface NamedRow<Row> {
  readonly key: ObjectKey;
  readonly row: Row | undefined;
}

interface Converter<Row> {
  readonly resource: string;
  readonly log: Pick<Log, 'warning'>;
  readonly convert: (object: unknown) => Conversion<Row>;
}

/** Undefined when the object has not even a name; it is counted and logged like every other bad one. */
export function convertNamed<Row>(
  converter: Converter<Row>,
  tally: { badObjects: number },
  object: unknown,
): NamedRow<Row> | undefined {
  const identity = objectRow(object);
  const converted = identity.ok ? convertSafely(converter, object) : identity;
  const key = identity.ok ? objectKey(identity.value) : undefined;
  if (!converted.ok) {
    tally.badObjects++;
    converter.log.warning(`skipped ${converter.resource} ${key ?? excerpt(object)}: ${converted.reason}`);
  }
  return key === undefined
    ? undefined
    : { key, row: converted.ok ? (converted.value as Row | undefined) : undefined };
}

/** A converter that throws is a bug of ours; it shall cost one object and not its whole collection. */
function convertSafely<Row>(converter: Converter<Row>, object: unknown): Conversion<Row> {
  try {
    return converter.convert(object);
  } catch (error) {
    return refuse(`it cannot be read: ${errorText(error)}`);
  }
}

export function specOf(object: unknown): JsonRecord {
  return recordOf(recordOf(object).spec);
}

export function labelsOf(object: unknown): unknown {
  return recordOf(recordOf(object).metadata).labels;
}

interface Wishes {
  readonly redirect?: RedirectWish;
  readonly kernelAnswers?: AnswerWish;
}

/** A part of a row: what the annotations of ours say. A word of zerohop.io/redirect that is neither of the two is as none. */
export function wishesOf(object: unknown): Wishes {
  const annotations = recordOf(recordOf(recordOf(object).metadata).annotations);
  const redirect = annotations['zerohop.io/redirect'];
  const answers = annotations['zerohop.io/kernel-answers'];
  return {
    ...(redirect === 'permit' || redirect === 'deny' ? { redirect } : {}),
    ...(answers === undefined
      ? {}
      : { kernelAnswers: answers === 'allow' || answers === 'deny' ? answers : 'unreadable' }),
  };
}
