/** The oldest or newest N flows of a stream, for who answers from a stream instead of from a log. What is no flow is not counted. */
import type { GetFlowsResponse } from '../api.ts';

type Responses = AsyncGenerator<GetFlowsResponse, void, void>;

/** `most` is 1 or more. Ends with the last of them, and tells of nothing behind it. */
export async function* oldestFlows(responses: AsyncIterable<GetFlowsResponse>, most: number): Responses {
  let left = most;
  for await (const response of responses) {
    yield response;
    if (response.flow !== undefined && --left === 0) return;
  }
}

/** `most` is 1 or more, and so many are held until the stream has ended; what is no flow is told at once. */
export async function* newestFlows(responses: AsyncIterable<GetFlowsResponse>, most: number): Responses {
  const ring: GetFlowsResponse[] = [];
  let seen = 0;
  for await (const response of responses) {
    if (response.flow === undefined) yield response;
    else ring[seen++ % most] = response;
  }
  const start = seen > most ? seen % most : 0;
  yield* ring.slice(start);
  yield* ring.slice(0, start);
}
