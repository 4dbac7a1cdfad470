/**
 * Queries that can be found again in every place that sees names: the tag is one label right under the cluster's domain. Its
 * DNS is authoritative for that, so the query never leaves the cluster, and NXDOMAIN is the healthy answer.
 */
import { TYPE } from '../../dns/codes.ts';
import { decodeMessage } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Message } from '../../dns/message.ts';
import { canonicalName, equalNames, joinName, type Name } from '../../dns/name.ts';
import { plainQuery } from '../../dns/plain-query.ts';

const PREFIX = 'zerohop-probe-';

/** `run` tells the runs of the doctor apart, `number` the probes of one run. */
export function probeTag(run: string, number: number): string {
  return `${PREFIX}${run}-${number}`;
}

/** The tag of a name that a doctor asked for; undefined for anybody else's. */
export function tagOf(name: string): string | undefined {
  const [label = ''] = name.toLowerCase().split('.', 1);
  return /^zerohop-probe-[0-9a-f]{1,16}-\d{1,6}$/.test(label) ? label : undefined;
}

export interface TaggedQuery {
  readonly tag: string;
  readonly id: number;
  readonly name: Name;
  readonly bytes: Uint8Array;
}

/** Undefined when the domain is too long to put a label before it. */
export function taggedQuery(tag: string, domain: Name, id: number): TaggedQuery | undefined {
  const name = joinName([tag], domain);
  if (name === undefined) return undefined;
  return { tag, id, name, bytes: encodeMessage(plainQuery({ name, type: TYPE.A }, { id })) };
}

/** Undefined when these bytes are no answer to the query: somebody else's, or broken. */
export function answerTo({ id, name }: TaggedQuery, bytes: Uint8Array): Message | undefined {
  const decoded = decodeMessage(bytes);
  if (!decoded.ok || decoded.value.id !== id || !decoded.value.flags.response) return undefined;
  const [question] = decoded.value.questions;
  // Some servers leave the question out of an error.
  if (question !== undefined && !equalNames(canonicalName(question.name), name)) return undefined;
  return decoded.value;
}
