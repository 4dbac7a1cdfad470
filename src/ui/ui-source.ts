/** Whom the page's server asks: an agent, a relay, or the lab, by whatever way. Read only. */
import type { GetFlowsRequest, GetFlowsResponse } from '../flow/api.ts';
import type { ObservedNode, ObserverStatus } from '../hubble/observer-source.ts';
import type { WireFinding, WirePodVerdict } from './wire.ts';

/** What the page shows of `zerohop doctor -o json`. */
export interface UiReport {
  /** 0 healthy, 1 findings, 2 could not tell. */
  readonly exitCode: 0 | 1 | 2;
  readonly findings: readonly WireFinding[];
  readonly pods: readonly WirePodVerdict[];
  /** Checks that could not say anything, and nodes that nobody looked at. */
  readonly blind: readonly { readonly id: string; readonly node?: string; readonly reason: string }[];
  readonly notLookedAt: readonly { readonly node: string; readonly reason: string }[];
  readonly notProbed: readonly { readonly pod: string; readonly reason: string }[];
}

export interface UiSource {
  /** Follows until the signal; may end or throw before, and is then asked again. */
  flows(request: GetFlowsRequest, signal: AbortSignal): AsyncIterable<GetFlowsResponse>;
  status(): Promise<ObserverStatus>;
  nodes(): Promise<readonly ObservedNode[]>;
  /** Takes seconds; is never asked twice at the same time. */
  doctor?(): Promise<UiReport>;
}
