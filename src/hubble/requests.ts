/**
 * GetFlowsRequest between the wire and `flow/api.ts`. Filters have the same names and values on both sides; what this server
 * cannot match is refused by name where they are compiled, since an ignored field would make an answer look right and be
 * wrong (spec hubble 13 rule 6).
 */
import { fail, ok, type Result } from '../fault/result.ts';
import type { FlowFilter, GetFlowsRequest } from '../flow/api.ts';
import type { HubbleErrorCode } from './errors.ts';
import { isFlowPath } from './field-mask.ts';
import type { Method, WireMessage } from './grpc.ts';
import { fromWireNarrow, toWireNarrow, type WireAny } from './narrow.ts';
import { findUnknownField } from './unknown-fields.ts';
import { fromWireTime, toWireTime, type WireTime } from './wire-time.ts';

/** observer.GetFlowsRequest as the library gives it. */
export interface WireFlowsRequest {
  readonly number?: string;
  readonly follow?: boolean;
  readonly first?: boolean;
  readonly blacklist?: readonly FlowFilter[];
  /** Names and values are those of the API, but for numbers of enums that `proto/` has no word for. */
  readonly whitelist?: readonly FlowFilter[];
  readonly since?: WireTime;
  readonly until?: WireTime;
  readonly field_mask?: WireMask;
  readonly extensions?: WireAny;
  /** Of our own making: what the decoder passed over. */
  readonly unknown_field?: string;
  readonly experimental?: { readonly field_mask?: WireMask };
}

interface WireMask {
  readonly paths?: readonly string[];
}

/** A decoder of GetFlowsRequest that keeps in mind what it passed over. */
export function noticingUnknown({ requestDeserialize, ...method }: Method): Method {
  return {
    ...method,
    requestDeserialize(bytes) {
      const unknown = findUnknownField(bytes);
      const request = requestDeserialize(bytes);
      return unknown === undefined ? request : { ...request, unknown_field: unknown };
    },
  };
}

export function fromWireRequest(wire: WireFlowsRequest): Result<GetFlowsRequest> {
  if (wire.unknown_field !== undefined) {
    return refuse('HUBBLE_REQUEST_INVALID', `this server does not know its field ${wire.unknown_field}`);
  }
  const bad = badPath(wire.field_mask) ?? badPath(wire.experimental?.field_mask);
  if (bad !== undefined)
    return refuse('HUBBLE_REQUEST_INVALID', `the field mask names no field of a flow: ${quote(bad)}`);
  const times: { since?: string; until?: string } = {};
  for (const bound of ['since', 'until'] as const) {
    const time = wire[bound];
    if (time === undefined) continue;
    const text = fromWireTime(time);
    if (text === undefined)
      return refuse('HUBBLE_REQUEST_INVALID', `${bound} is not a time of the years 1 to 9999`);
    times[bound] = text;
  }
  const narrow = wire.extensions === undefined ? undefined : fromWireNarrow(wire.extensions);
  if (narrow?.ok === false) return narrow;
  const { whitelist = [], blacklist = [] } = wire;
  const mask = wire.field_mask ?? wire.experimental?.field_mask;
  return ok({
    ...(wire.number === undefined ? {} : { number: wire.number }),
    ...(wire.follow === true ? { follow: true } : {}),
    ...(wire.first === true ? { first: true } : {}),
    ...times,
    ...(whitelist.length === 0 ? {} : { whitelist }),
    ...(blacklist.length === 0 ? {} : { blacklist }),
    ...(mask?.paths === undefined ? {} : { field_mask: { paths: mask.paths } }),
    ...(narrow === undefined ? {} : { narrow: narrow.value }),
  });
}

function badPath(mask: WireMask | undefined): string | undefined {
  return mask?.paths?.find((path) => !isFlowPath(path));
}

function refuse(code: HubbleErrorCode, reason: string): ReturnType<typeof fail> {
  return fail(code, undefined, reason);
}

const MOST_QUOTED = 100;

function quote(text: string): string {
  return JSON.stringify(text.slice(0, MOST_QUOTED));
}

/** Times that cannot be read are left for the server to miss: callers check them first, for they know where they came from. */
export function toWireRequest(request: GetFlowsRequest): WireMessage {
  const { number, first, follow, since, until, whitelist, blacklist, field_mask, narrow } = request;
  return {
    ...(number === undefined ? {} : { number: String(number) }),
    ...(first === undefined ? {} : { first }),
    ...(follow === undefined ? {} : { follow }),
    ...(since === undefined ? {} : { since: toWireTime(since) }),
    ...(until === undefined ? {} : { until: toWireTime(until) }),
    ...(whitelist === undefined ? {} : { whitelist }),
    ...(blacklist === undefined ? {} : { blacklist }),
    ...(field_mask === undefined ? {} : { field_mask }),
    ...(narrow === undefined ? {} : { extensions: toWireNarrow(narrow) }),
  };
}
