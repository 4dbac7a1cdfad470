/**
 * A report as text, for somebody who was woken up by it: for each node what was sent and what came of it, a verdict with its
 * evidence and the fix; below, every finding in full, what hurts most first. Everything that came from the cluster or from a
 * packet is made harmless for a terminal; colours are ours alone. Commands and YAML stand as they can be copied.
 */
import { printable } from '../../policy/printable.ts';
import type { Fix, Severity } from '../check.ts';
import type { NodeAbout, PlacedFinding, PodVerdict, Report, Verdict } from './report.ts';
import { COLUMNS, labelled, wrap } from './wrapped-text.ts';

export interface FormatOptions {
  readonly colour?: boolean;
}

/** Ends with a newline. */
export function formatReport(report: Report, { colour = false }: FormatOptions = {}): string {
  const paint: Paint = colour ? (code, text) => `\u001b[${code}m${text}\u001b[0m` : (_code, text) => text;
  return [
    ...headLines(report, paint),
    ...findingLines(report.findings, paint),
    ...restLines(report),
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

function headLines(report: Report, paint: Paint): readonly string[] {
  if (report.origin === 'manifests') return ['DNS path in these manifests'];
  if (report.nodes.length === 0) return ['DNS path: no node was looked at'];
  return report.nodes.flatMap((node, i) => [
    ...(i === 0 ? [] : ['']),
    ...wrap(printable(`DNS path on node ${node}${aboutText(report.about[i])}`), COLUMNS),
    ...nodeLines(report, node, paint),
  ]);
}

function aboutText(about: NodeAbout | undefined): string {
  if (about === undefined) return '';
  const { kernel, cni, proxy, agent } = about;
  const parts = [
    ...(kernel === undefined ? [] : [`kernel ${kernel}`]),
    ...(cni === undefined ? [] : [`CNI ${cni}`]),
    ...(proxy === undefined ? [] : [`kube-proxy: ${proxy}`]),
    ...(agent === undefined ? ['no zerohop agent'] : [`zerohop ${agent}`]),
  ];
  return ` (${parts.join(', ')})`;
}

function nodeLines(report: Report, node: string, paint: Paint): readonly string[] {
  const pods = report.pods.filter((pod) => pod.node === node);
  const also = alsoText(report, node, pods);
  return [
    sentText(pods),
    // Pods with the same fate are told once, the worst first.
    ...WORST_FIRST.flatMap((verdict) =>
      [
        ...Map.groupBy(
          pods.filter((pod) => pod.verdict === verdict),
          sameFate,
        ).values(),
      ].flatMap((same) => verdictLines(same, report.findings, paint)),
    ),
    ...(also === '' ? [] : labelled('also', [also])),
  ];
}

const WORST_FIRST = ['BROKEN', 'BYPASSED', 'UNKNOWN', 'ENTERED'] as const;

function sentText(pods: readonly PodVerdict[]): string {
  if (pods.length === 0) return '  sent nothing: no pod of this node was probed';
  const sum = (part: (pod: PodVerdict) => number): number =>
    pods.reduce((total, pod) => total + part(pod), 0);
  const [sent, entered, elsewhere, lost] = [
    sum((pod) => pod.sent),
    sum((pod) => pod.entered),
    sum((pod) => pod.elsewhere),
    sum((pod) => pod.lost),
  ];
  const unseen = sent - entered - elsewhere - lost;
  const counts = [
    `${entered} entered the node's cache`,
    ...(elsewhere === 0 ? [] : [`${elsewhere} were answered elsewhere`]),
    ...(unseen === 0 ? [] : [`${unseen} were answered by nobody knows whom`]),
    ...(lost === 0 ? [] : [`${lost} got no answer`]),
  ];
  return `  sent ${sent} tagged probes from ${countText(pods.length, 'pod')}  ->  ${counts.join(', ')}`;
}

function sameFate({ because, cause, evidence }: PodVerdict): string {
  return because ?? `${cause}\n${evidence.length}`;
}

const MOST_PODS = 5;

function verdictLines(
  same: readonly PodVerdict[],
  findings: readonly PlacedFinding[],
  paint: Paint,
): readonly string[] {
  const [first] = same;
  if (first === undefined) return [];
  const { verdict, evidence, cause, because, fix } = first;
  const finding = findings.find(
    ({ id, node }) => id === because && (node === undefined || node === first.node),
  );
  const names = same.slice(0, MOST_PODS).map(({ pod }) => pod);
  const more = same.length > MOST_PODS ? ` and ${same.length - MOST_PODS} more` : '';
  const [head = '', ...rest] = labelled('VERDICT', [`${verdict.padEnd(8)}  ${names.join(', ')}${more}`]);
  return [
    head.replace(verdict, paint(VERDICT_COLOUR[verdict], verdict)),
    ...rest,
    ...labelled(
      'evidence',
      same.length === 1 ? evidence : [...evidence, `and alike of ${countText(same.length - 1, 'more pod')}`],
    ),
    ...(verdict === 'ENTERED'
      ? []
      : labelled('cause', [finding === undefined ? cause : `${finding.title} (${finding.id})`])),
    ...(fix === undefined ? [] : labelled('FIX', [shortFix(fix, because)])),
  ];
}

function shortFix({ kind, text }: Fix, because: string | undefined): string {
  const [first = ''] = text.split('\n');
  const where = because === undefined ? 'below' : `below, at ${because}`;
  if (kind === 'yaml') return `apply the manifest that is printed ${where}`;
  return text.includes('\n') ? `${first}  (all of it ${where})` : first;
}

/** What else was found of the node or of the whole cluster, by number. */
function alsoText({ findings }: Report, node: string, pods: readonly PodVerdict[]): string {
  const told = new Set(pods.map(({ because }) => because));
  const others = findings.filter(
    (finding) => !told.has(finding.id) && finding.severity !== 'info' && (finding.node ?? node) === node,
  );
  const titles = new Map(others.map(({ id, title }) => [id, title]));
  return [...titles].map(([id, title]) => `${id} ${title}`).join('; ');
}

function findingLines(findings: readonly PlacedFinding[], paint: Paint): readonly string[] {
  const told = findings.filter(({ severity }) => severity !== 'info');
  const looksWrong = Map.groupBy(
    findings.filter(({ severity }) => severity === 'info'),
    ({ id, cause }) => `${id} ${cause}`,
  );
  return [
    ...told.flatMap((finding) => oneFinding([finding], paint)),
    // Of what is no fault one is enough, whatever the number of nodes.
    ...[...looksWrong.values()].flatMap((same) => oneFinding(same, paint)),
  ];
}

function oneFinding(same: readonly PlacedFinding[], paint: Paint): readonly string[] {
  const [first] = same;
  if (first === undefined) return [];
  const { id, severity, title, evidence, cause, fix } = first;
  return [
    '',
    `${paint(BOLD, id)}  ${paint(SEVERITY_COLOUR[severity], severity.padEnd(8))}  ${printable(title)}`,
    ...labelled('at', subjectOf(same)),
    ...labelled('evidence', evidence),
    ...labelled('cause', [cause]),
    ...fixLines(fix),
  ];
}

function subjectOf(same: readonly PlacedFinding[]): readonly string[] {
  const [{ pod, object, place } = {}] = same as readonly Partial<PlacedFinding>[];
  const at = place === undefined ? '' : ` (${place.file}:${place.line}:${place.column})`;
  const nodes = [...new Set(same.flatMap(({ node }) => node ?? []))];
  return [
    ...(object === undefined ? [] : [`${object}${at}`]),
    ...(pod === undefined ? [] : [`pod ${pod}`]),
    ...(nodes.length === 0 ? [] : [`${nodes.length === 1 ? 'node' : 'nodes'} ${nodes.join(', ')}`]),
  ];
}

/** What is copied stands at the left edge, without a break that is not its own. */
function fixLines({ kind, text }: Fix): readonly string[] {
  if (kind === 'text') return labelled('FIX', [text]);
  const lines = text.trimEnd().split('\n').map(printable);
  if (kind === 'command') return [...labelled('FIX', ['run']), '', ...lines];
  const end = lines.includes('EOF') ? 'ZEROHOP_EOF' : 'EOF';
  return [...labelled('FIX', ['apply']), '', `kubectl apply -f - <<'${end}'`, ...lines, end];
}

/** What nobody looked at, and what could not be told. The same reason for many checks is told once. */
function restLines({ blind, notLookedAt, notProbed }: Report): readonly string[] {
  const reasons = Map.groupBy(blind, ({ node, reason }) =>
    node === undefined ? reason : `node ${node}: ${reason}`,
  );
  const section = (title: string, texts: readonly string[]): readonly string[] =>
    texts.length === 0 ? [] : ['', title, ...texts.flatMap((text) => wrap(`  ${printable(text)}`, COLUMNS))];
  return [
    ...section(
      'Could not be told',
      [...reasons].map(([reason, of]) => `${[...new Set(of.map(({ id }) => id))].join(' ')}: ${reason}`),
    ),
    ...section(
      'Not looked at',
      shortened(
        notLookedAt.map(
          ({ node, reason, command }) =>
            `${node}: ${reason}${command === undefined ? '' : `; run: ${command}`}`,
        ),
      ),
    ),
    ...section('Not probed', shortened(notProbed.map(({ pod, reason }) => `${pod}: ${reason}`))),
  ];
}

/** Of a thousand nodes that are alike nobody reads more. */
const MOST_LINES = 10;

function shortened(lines: readonly string[]): readonly string[] {
  return lines.length <= MOST_LINES
    ? lines
    : [...lines.slice(0, MOST_LINES), `and ${lines.length - MOST_LINES} more; -o json lists them`];
}

function conclusion({ exitCode, findings, blind, origin, pods, nodes }: Report): string {
  if (exitCode === 2 && nodes.length === 0 && origin === 'live') return 'Nothing could be looked at.';
  if (exitCode === 2) return 'Nothing was found to be wrong, but not everything could be looked at.';
  const count = findings.filter(({ severity }) => severity !== 'info').length;
  if (exitCode === 1) return `${countText(count, 'finding')}.`;
  const reservation = blind.length > 0 ? ', as far as it could be looked at' : '';
  if (origin === 'manifests') return 'Nothing is wrong with these manifests.';
  const whose = pods.length === 1 ? 'Every query of this pod' : `Every query of these ${pods.length} pods`;
  return `${whose} enters the cache of its node${reservation}.`;
}

function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
