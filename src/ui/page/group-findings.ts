/** Findings as they are read: what is the same on several nodes or pods is one, with all its places, the worst first. */
import type { WireDoctor, WireFinding } from '../wire.ts';

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

/** Only of what was seen: a pod whose answers came from nobody knows where has no finding, and is not healthy. */
export function isHealthy({ findings, pods, unknown, error }: WireDoctor): boolean {
  const isSeen = error === undefined && unknown.length === 0 && pods.length > 0;
  const isFine = findings.every(({ severity }) => severity === 'info');
  return isSeen && isFine && pods.every(({ verdict }) => verdict === 'ENTERED');
}
