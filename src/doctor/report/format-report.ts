/**
 * A report as text: what was probed, a verdict for each pod, then the findings with what hurts most first. Everything that
 * came from the cluster or from a packet is made harmless for a terminal; colours are ours alone.
 */
import { printable } from '../../policy/printable.ts';
import type { Severity } from '../check.ts';
import type { PlacedFinding, PodVerdict, Report, Verdict } from './report.ts';

export interface FormatOptions {
  readonly colour?: boolean;
}

/** Ends with a newline. */
export function formatReport(report: Report, { colour = false }: FormatOptions = {}): string {
  const paint: Paint = colour ? (code, text) => `\u001b[${code}m${text}\u001b[0m` : (_code, text) => text;
  return [
    ...headLines(report),
    ...podLines(report.pods, paint),
    ...findingLines(report.findings, paint),
    ...blindLines(report),
    '',
    conclusion(report),
    '',
  ].join('\n');
}

/** As it stands; control characters are escaped by JSON itself. */
export function formatReportJson(report: Report): string {
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

type Paint = (code: number, text: string) => string;

const RED = 31;
const GREEN = 32;
const YELLOW = 33;
const BOLD = 1;

const VERDICT_COLOUR: Readonly<Record<Verdict, number>> = {
  ENTERED: GREEN,
  BYPASSED: YELLOW,
  BROKEN: RED,
  UNKNOWN: YELLOW,
};
const SEVERITY_COLOUR: Readonly<Record<Severity, number>> = {
  broken: RED,
  bypassed: YELLOW,
  warning: YELLOW,
  info: BOLD,
};

function headLines({ origin, nodes, pods }: Report): readonly string[] {
  if (origin === 'manifests') return ['DNS path in these manifests'];
  const sum = (part: (pod: PodVerdict) => number): number =>
    pods.reduce((total, pod) => total + part(pod), 0);
  const counts = `${sum((pod) => pod.entered)} entered a node cache, ${sum((pod) => pod.elsewhere)} were answered elsewhere, ${sum((pod) => pod.lost)} got no answer`;
  const where = nodes.length === 1 ? 'node' : 'nodes';
  return [
    printable(`DNS path on ${where} ${nodes.join(', ') || 'none'}`),
    `  sent ${sum((pod) => pod.sent)} tagged probes from ${pods.length} ${pods.length === 1 ? 'pod' : 'pods'}  ->  ${counts}`,
  ];
}

function podLines(pods: readonly PodVerdict[], paint: Paint): readonly string[] {
  if (pods.length === 0) return [];
  const width = Math.max(...pods.map(({ pod }) => printable(pod).length));
  return pods.flatMap(({ pod, node, verdict, evidence, cause, because }) => [
    '',
    `  ${paint(VERDICT_COLOUR[verdict], verdict.padEnd(8))}  ${printable(pod).padEnd(width)}  on ${printable(node)}`,
    ...labelled('evidence', evidence),
    ...(verdict === 'ENTERED'
      ? []
      : labelled('cause', [because === undefined ? cause : `${cause} (${because})`])),
  ]);
}

function findingLines(findings: readonly PlacedFinding[], paint: Paint): readonly string[] {
  return findings.flatMap((finding) => {
    const { id, severity, title, node, pod, object, place, evidence, cause, fix } = finding;
    const at = place === undefined ? '' : ` (${place.file}:${place.line}:${place.column})`;
    const subject = [
      ...(object === undefined ? [] : [`${object}${at}`]),
      ...(pod === undefined ? [] : [`pod ${pod}`]),
      ...(node === undefined ? [] : [`node ${node}`]),
    ];
    return [
      '',
      `${paint(BOLD, id)}  ${paint(SEVERITY_COLOUR[severity], severity.padEnd(8))}  ${printable(title)}`,
      ...labelled('at', subject),
      ...labelled('evidence', evidence),
      ...labelled('cause', [cause]),
      ...labelled(FIX_LABEL[fix.kind], fix.text.split('\n')),
    ];
  });
}

const FIX_LABEL = { command: 'fix: run', yaml: 'fix: apply', text: 'fix' } as const;
const LABEL_WIDTH = 12;

/** The label stands before the first line only, so that YAML below it can be copied by columns. */
function labelled(label: string, lines: readonly string[]): readonly string[] {
  return lines.map(
    (line, index) => `     ${(index === 0 ? label : '').padEnd(LABEL_WIDTH)}${printable(line)}`,
  );
}

/** The same reason for many checks is told once. */
function blindLines({ blind }: Report): readonly string[] {
  const reasons = new Map<string, string[]>();
  for (const { id, node, reason } of blind) {
    const text = node === undefined ? reason : `node ${node}: ${reason}`;
    const ids = reasons.get(text);
    if (ids === undefined) reasons.set(text, [id]);
    else if (!ids.includes(id)) ids.push(id);
  }
  if (reasons.size === 0) return [];
  return [
    '',
    'Could not be told',
    ...[...reasons].map(([reason, ids]) => printable(`  ${ids.join(' ')}  ${reason}`)),
  ];
}

function conclusion({ exitCode, findings, blind, origin }: Report): string {
  if (exitCode === 2) return 'Nothing was found to be wrong, but not everything could be looked at.';
  const count = findings.filter(({ severity }) => severity !== 'info').length;
  if (exitCode === 1) return `${count} ${count === 1 ? 'finding' : 'findings'}.`;
  const reservation = blind.length > 0 ? ', as far as it could be looked at' : '';
  return origin === 'manifests'
    ? 'Nothing is wrong with these manifests.'
    : `Every query enters the cache${reservation}.`;
}
