/** What a load showed, by phase. Pure: results and the moments that part the phases in, rows out. */
import type { LoadResult } from './query-load.ts';

export interface PhaseSpec {
  readonly name: string;
  /** Milliseconds since the epoch; a query belongs to the last phase that began before it was sent. */
  readonly fromMs: number;
}

/** An answer as the flows saw it leave a DNS server's pod. */
export interface AnswerFlow {
  readonly sourcePort: number;
  readonly id: number;
  readonly atMs: number;
  /** `kube-system/coredns-…` */
  readonly server: string;
}

export interface PhaseRow {
  readonly phase: string;
  readonly sent: number;
  readonly answered: number;
  readonly lost: number;
  readonly worstMs: number;
  /** Answers by server pod, from the flows. */
  readonly by: ReadonlyMap<string, number>;
}

/** Sockets and ids come round again, so an answer belongs to a query only within this time. */
const MATCH_WITHIN_MS = 2_000;

export function loadReport(
  results: readonly LoadResult[],
  phases: readonly PhaseSpec[],
  answers: readonly AnswerFlow[],
): PhaseRow[] {
  const byQuery = Map.groupBy(answers, ({ sourcePort, id }) => `${sourcePort}/${id}`);
  const serverOf = (result: LoadResult): string => {
    const candidates = byQuery.get(`${result.sourcePort}/${result.id}`) ?? [];
    const hit = candidates.find(
      ({ atMs }) => atMs > result.sentAtMs - 50 && atMs < result.sentAtMs + MATCH_WITHIN_MS,
    );
    return hit?.server ?? 'unseen';
  };
  return phases.map(({ name, fromMs }, i) => {
    const until = phases[i + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
    const own = results.filter(({ sentAtMs }) => sentAtMs >= fromMs && sentAtMs < until);
    const answered = own.filter(({ tookMs }) => tookMs !== undefined);
    const by = Map.groupBy(answered, serverOf);
    return {
      phase: name,
      sent: own.length,
      answered: answered.length,
      lost: own.length - answered.length,
      worstMs: Math.max(0, ...answered.map(({ tookMs = 0 }) => tookMs)),
      by: new Map([...by].map(([server, list]) => [server, list.length])),
    };
  });
}

const HEADINGS = ['phase', 'sent', 'answered', 'lost', 'slowest', 'answered by'] as const;

export function formatLoadReport(rows: readonly PhaseRow[]): string {
  const cells = rows.map((row) => [
    row.phase,
    String(row.sent),
    String(row.answered),
    String(row.lost),
    `${row.worstMs.toFixed(1)} ms`,
    [...row.by].map(([server, count]) => `${server} ${count}`).join(', '),
  ]);
  const table = [[...HEADINGS], ...cells];
  const widths = HEADINGS.map((_, column) => Math.max(...table.map((row) => (row[column] ?? '').length)));
  return table
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
