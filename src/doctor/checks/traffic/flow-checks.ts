/** What the checks of flows have in common: a summary for each node that has one, and shares of it in words. */
import type { FlowSummary, Latency } from '../../site/agent-facts.ts';
import { isKnown } from '../../site/known.ts';
import type { NodeSite, Site } from '../../site/site.ts';

export interface SummarisedNode {
  readonly name: string;
  readonly node: NodeSite;
  readonly flows: FlowSummary;
  /** Of what the summary is about; never 0. */
  readonly seconds: number;
}

export function summarised({ nodes }: Pick<Site, 'nodes'>): readonly SummarisedNode[] {
  return nodes.flatMap((node) => {
    const { flows } = node.agent;
    if (!isKnown(flows)) return [];
    const seconds = Math.max(1, (flows.value.untilMs - flows.value.sinceMs) / 1000);
    return [{ name: node.name, node, flows: flows.value, seconds }];
  });
}

/** `78 % of 4.1 k queries`. */
export function shareText(part: number, whole: number, what: string): string {
  const share = whole === 0 ? 0 : (part / whole) * 100;
  const percent = share > 0 && share < 10 ? share.toFixed(1) : share.toFixed(0);
  return `${percent} % of ${countText(whole)} ${what}`;
}

export function countText(count: number): string {
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} M`;
  return count >= 10_000 ? `${(count / 1e3).toFixed(0)} k` : String(count);
}

export function secondsText(seconds: number): string {
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

export function latencyText({ p50, p99 }: Latency): string {
  return `p50 ${msText(p50)}, p99 ${msText(p99)}`;
}

function msText(ms: number): string {
  return `${ms < 10 ? ms.toFixed(2) : ms.toFixed(0)} ms`;
}
