/** What a stage of the run found out, and the table of all. */
import { rcodeName } from '../../src/dns/codes.ts';

export interface StageReport {
  readonly stage: string;
  packets: number;
  /** By rcode's name; of the decoder: by its failure's code, and `ok`. */
  readonly outcomes: Map<string, number>;
  silent: number;
  /** Answered without the chain, and found equal to the chain's answer or judged alike. */
  fast: number;
  slowestMs: number;
  /** Index of the slowest packet. */
  slowest: number;
  /** Of live objects, or resident where the process is another one. */
  memory: { beforeBytes: number; afterBytes: number };
  seconds: number;
}

export function newReport(stage: string): StageReport {
  const memory = { beforeBytes: 0, afterBytes: 0 };
  return {
    stage,
    packets: 0,
    outcomes: new Map(),
    silent: 0,
    fast: 0,
    slowestMs: 0,
    slowest: 0,
    memory,
    seconds: 0,
  };
}

export function countOutcome(report: StageReport, outcome: string): void {
  report.outcomes.set(outcome, (report.outcomes.get(outcome) ?? 0) + 1);
}

export function countRcode(report: StageReport, rcode: number): void {
  countOutcome(report, rcodeName(rcode));
}

export function noteTime(report: StageReport, ms: number, index: number): void {
  if (ms <= report.slowestMs) return;
  report.slowestMs = ms;
  report.slowest = index;
}

export function formatReports(reports: readonly StageReport[]): string {
  return reports.map(formatReport).join('\n\n');
}

function formatReport(report: StageReport): string {
  const { beforeBytes, afterBytes } = report.memory;
  const outcomes = [...report.outcomes].sort((a, b) => b[1] - a[1]);
  const rows = [
    ['packets', `${grouped(report.packets)} in ${report.seconds.toFixed(1)} s`],
    ...outcomes.map(([outcome, count]) => [`  ${outcome}`, grouped(count)]),
    ['  silent', grouped(report.silent)],
    ['without the chain', grouped(report.fast)],
    ['slowest', `${report.slowestMs.toFixed(2)} ms (packet ${report.slowest})`],
    ['memory', `${megabytes(beforeBytes)} MB before, ${megabytes(afterBytes)} MB after`],
  ];
  return [report.stage, ...rows.map(([label = '', value = '']) => `  ${label.padEnd(22)}${value}`)].join(
    '\n',
  );
}

const grouped = (count: number) => count.toLocaleString('en-US');
const megabytes = (bytes: number) => (bytes / 1_048_576).toFixed(1);
