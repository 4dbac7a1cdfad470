/** Whom the page's server asks: an agent, a relay, or the lab, by whatever way. Read only. */
import type { GetFlowsRequest, GetFlowsResponse } from '../flow/api.ts';
import type { ObservedNode, ObserverStatus } from '../hubble/observer-source.ts';
import type { WireFinding } from './wire.ts';

export interface UiReport {
  readonly findings: readonly WireFinding[];
}

export interface UiSource {
  /** Follows until the signal; may end or throw before, and is then asked again. */
  flows(request: GetFlowsRequest, signal: AbortSignal): AsyncIterable<GetFlowsResponse>;
  status(): Promise<ObserverStatus>;
  nodes(): Promise<readonly ObservedNode[]>;
  /** Takes seconds; is never asked twice at the same time. */
  doctor?(): Promise<UiReport>;
}
