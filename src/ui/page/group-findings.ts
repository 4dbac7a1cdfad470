/** Findings as they are read: what is the same on several nodes or pods is one, with all its places, the worst first. */
import type { WireFinding } from '../wire.ts';

export interface GroupedFinding {
  /** The first of them. */
  readonly finding: WireFinding;
  /** Pods or nodes, each once. */
  readonly where: readonly string[];
}

const ORDER = ['broken', 'bypassed', 'warning', 'info'];

export function groupFindings(findings: readonly WireFinding[]): readonly GroupedFinding[] {
  const groups = new Map<string, GroupedFinding>();
  for (const finding of findings) {
    const { id, severity, title, cause, fix, pod, node } = finding;
    const key = JSON.stringify([id, severity, title, cause, fix.text]);
    const known = groups.get(key);
    const place = pod ?? node;
    const where = [...new Set([...(known?.where ?? []), ...(place === undefined ? [] : [place])])];
    groups.set(key, { finding: known?.finding ?? finding, where });
  }
  return [...groups.values()].sort(
    (a, b) => ORDER.indexOf(a.finding.severity) - ORDER.indexOf(b.finding.severity),
  );
}
