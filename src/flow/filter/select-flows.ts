/**
 * A request answered from a stream of flows instead of from a log: a file (`--input-file`), or a server that does not know
 * our own conditions. What it holds at once is never more than the newest N that were asked for.
 */
import { ok, type Result } from '../../fault/result.ts';
import type { GetFlowsRequest, GetFlowsResponse } from '../api.ts';
import { parseTime } from '../time.ts';
import { compileFilters } from './compile-filters.ts';
import { newestFlows, oldestFlows } from './count-flows.ts';
import type { FlowPredicate } from './field-compiler.ts';
import type { NarrowOptions } from './narrow.ts';

export type FlowSelection = (
  responses: AsyncIterable<GetFlowsResponse>,
) => AsyncGenerator<GetFlowsResponse, void, void>;

/** No stream has so many flows: who asks for them, as the stock client's `--all` does, gets each as it comes. */
const ALL = 2 ** 32;

/** Filters, window and number of the request; losses and node states pass as they are. `follow` means nothing here. */
export function compileSelection(
  request: GetFlowsRequest,
  options: NarrowOptions = {},
): Result<FlowSelection> {
  const filters = compileFilters(request, options);
  if (!filters.ok) return filters;
  const inWindow = windowOf(request);
  const matches: FlowPredicate = (flow) => inWindow(flow.time) && filters.value(flow);
  const number = Number(request.number ?? 0);
  const select: FlowSelection = (responses) => allOf(responses, matches);
  if (!(number > 0 && number < ALL)) return ok(select);
  // Of a window the first are given (spec hubble 6.4).
  const count = request.first === true || request.since !== undefined ? oldestFlows : newestFlows;
  return ok((responses) => count(select(responses), number));
}

/** Both bounds inclusive. */
function windowOf({ since, until }: GetFlowsRequest): (time: string) => boolean {
  const from = since === undefined ? undefined : parseTime(since);
  const to = until === undefined ? undefined : parseTime(until);
  if (from === undefined && to === undefined) return () => true;
  return (time) => {
    const ns = parseTime(time);
    return ns !== undefined && (from === undefined || ns >= from) && (to === undefined || ns <= to);
  };
}

async function* allOf(responses: AsyncIterable<GetFlowsResponse>, matches: FlowPredicate) {
  for await (const response of responses) {
    if (response.flow === undefined || matches(response.flow)) yield response;
  }
}

export interface ForeignRequest {
  /** For the server, which knows no conditions of ours. */
  readonly request: GetFlowsRequest;
  /** For what it answers. */
  readonly select: FlowSelection;
}

/**
 * Splits a request for a server that is not ours. Without a condition of ours it goes as it is. With one, the server cannot
 * count for us: it is asked for all there is, and the newest or oldest N are taken of what comes. Following with a number it
 * would never end counting, so there the number is the server's, of flows before they are narrowed. A field mask does not go,
 * since it may leave out what a condition is about: whoever prints drops fields once more.
 */
export function splitForForeignServer(request: GetFlowsRequest): Result<ForeignRequest> {
  const { narrow, number, first, field_mask: _, ...rest } = request;
  if (narrow === undefined) return ok({ request, select: (responses) => allOf(responses, () => true) });
  const count = { ...(number === undefined ? {} : { number }), ...(first === undefined ? {} : { first }) };
  if (request.follow === true) {
    const select = compileSelection({ narrow });
    return select.ok ? ok({ request: { ...rest, ...count }, select: select.value }) : select;
  }
  const select = compileSelection({
    narrow,
    ...count,
    ...(rest.since === undefined ? {} : { since: rest.since }),
  });
  return select.ok ? ok({ request: { ...rest, number: EVERYTHING }, select: select.value }) : select;
}

/** As the stock CLI says it: the largest number there is. */
const EVERYTHING = '18446744073709551615';
