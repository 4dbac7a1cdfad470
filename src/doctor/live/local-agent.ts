/**
 * The agent of one node as the doctor asks it. Who finds it is the command's affair: the doctor knows of agents only what
 * stands here.
 */
import type { GetFlowsRequest, GetFlowsResponse } from '../../flow/api.ts';
import type { PolicyState } from '../../policy/table.ts';
import type { AgentSummary } from '../site/agent-facts.ts';

export interface LocalAgent {
  status(): Promise<AgentSummary>;
  policies(): Promise<readonly PolicyState[]>;
  /** Absent: it keeps no flows. */
  readonly flows?: (request: GetFlowsRequest, signal: AbortSignal) => AsyncIterable<GetFlowsResponse>;
  close(): void;
}

/** Undefined: nobody listens where an agent of this node would. Throws when one is there and cannot be asked. */
export type FindAgent = (node: string) => Promise<LocalAgent | undefined>;
