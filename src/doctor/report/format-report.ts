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
    ...findingLines(report, paint),
    ...restLines(report),
    '',
    conclusion(report),
    '',
  ].join('\n');
}

/**
 * As it stands: who parses it gets every name unchanged. JSON escapes C0 controls only, so the others that steer a terminal,
 * and marks that turn the direction of text, are escaped here.
 */
export function formatReportJson(report: Report): string {
  return `${JSON.stringify(report, undefined, 2).replace(STEERING, escapeUnits)}\n`;
}

const STEERING = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

function escapeUnits(text: string): string {
  return text
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
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
  const { kernel, cni, proxy, agent, kernelAnswers } = about;
  const parts = [
    ...(kernel === undefined ? [] : [`kernel ${kernel}`]),
    ...(cni === undefined ? [] : [`CNI ${cni}`]),
    ...(proxy === undefined ? [] : [`kube-proxy: ${proxy}`]),
    ...(agent === undefined ? ['no zerohop agent'] : [`zerohop ${agent}`]),
    ...(kernelAnswers === undefined ? [] : [`kernel answers: ${kernelAnswers}`]),
  ];
  return ` (${parts.join(', ')})`;
}

function nodeLines(report: Report, node: string, paint: Paint): readonly string[] {
  const pods = report.pods.filter((pod) => pod.node === node);
  const also = alsoText(report, node, pods);
  return [
    ...wrap(sentText(pods), COLUMNS),
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
    ...(lost === 0 ? [] : [`${lost} were not answered, or with an error`]),
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
  const [head = '', ...rest] = labelled('VERDICT', [
    `${verdict.padEnd(8)}  ${names.join(', ')}${more}  on ${first.node}`,
  ]);
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

/** What else was found of the node, by number; where it is the only one, also what is found of the whole cluster. */
function alsoText({ findings, nodes }: Report, node: string, pods: readonly PodVerdict[]): string {
  const told = new Set<string | undefined>([...pods.map(({ because }) => because), ...IN_VERDICTS]);
  const others = findings.filter(
    (finding) =>
      !told.has(finding.id) &&
      finding.severity !== 'info' &&
      (finding.node === node || (finding.node === undefined && nodes.length === 1)),
  );
  const titles = new Map(others.map(({ id, title }) => [id, title]));
  return [...titles].map(([id, title]) => `${id} ${title}`).join('; ');
}

/** They say of each node what its verdict says: told where nothing that is more of a cause explains it. Best explanation first. */
const IN_VERDICTS: readonly string[] = ['D02', 'D01'];

/** Whether a pod of its node is explained by something that tells more. */
function isSaidByVerdict({ id, node }: PlacedFinding, pods: readonly PodVerdict[]): boolean {
  const rank = IN_VERDICTS.indexOf(id);
  return (
    rank >= 0 &&
    pods.some(
      ({ because, node: own }) =>
        own === node && because !== undefined && because !== id && !IN_VERDICTS.slice(rank).includes(because),
    )
  );
}

function findingLines({ findings, pods }: Report, paint: Paint): readonly string[] {
  const told = findings.filter((finding) => !isSaidByVerdict(finding, pods));
  const causes = new Set(pods.map(({ because }) => because));
  const sorted = [...told.filter(({ id }) => causes.has(id)), ...told.filter(({ id }) => !causes.has(id))];
  // Of many nodes with the same fault, or the same fix, one is enough to read.
  const groups = Map.groupBy(sorted, ({ id, title, object, pod, cause, fix }) =>
    JSON.stringify([id, title, object, pod, cause, fix]),
  );
  const fixes = new Map<string, string>();
  return [...groups.values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    const earlier = fixes.get(first.fix.text);
    fixes.set(first.fix.text, earlier ?? first.id);
    return oneFinding(same, paint, earlier);
  });
}

/** Of several nodes; each line of it can be looked up on one of them. */
const MOST_EVIDENCE = 8;

function oneFinding(
  same: readonly PlacedFinding[],
  paint: Paint,
  fixedBy: string | undefined,
): readonly string[] {
  const [first] = same;
  if (first === undefined) return [];
  const { id, severity, title, cause, fix } = first;
  const head = `${paint(BOLD, id)}  ${paint(SEVERITY_COLOUR[severity], severity.padEnd(8))}  ${printable(title)}`;
  // It looks wrong and is not: what somebody who saw it wants to know is why.
  if (severity === 'info')
    return ['', head, ...labelled('at', subjectOf(same)), ...labelled('cause', [cause])];
  const evidence = [...new Set(same.flatMap((one) => one.evidence))];
  return [
    '',
    head,
    ...labelled('at', subjectOf(same)),
    ...labelled('evidence', shortened(evidence, MOST_EVIDENCE)),
    ...labelled('cause', [cause]),
    ...(fixedBy === undefined ? fixLines(fix) : labelled('FIX', [`the same as for ${fixedBy}`])),
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

/** What nobody looked at, and what could not be told. */
function restLines({ blind, notLookedAt, notProbed }: Report): readonly string[] {
  const section = (title: string, texts: readonly string[]): readonly string[] =>
    texts.length === 0 ? [] : ['', title, ...texts.flatMap((text) => wrap(`  ${printable(text)}`, COLUMNS))];
  const nodes = notLookedAt.map(
    ({ node, reason, command }) => `${node}: ${reason}${command === undefined ? '' : `; run: ${command}`}`,
  );
  return [
    ...section('Could not be told', blindTexts(blind)),
    ...section('Not looked at', shortened(nodes, MOST_LINES)),
    ...section(
      'Not probed',
      shortened(
        notProbed.map(({ pod, reason }) => `${pod}: ${reason}`),
        MOST_LINES,
      ),
    ),
  ];
}

/** One reason, as that nobody may list anything, is told once with all that it hides and all the checks it keeps quiet. */
function blindTexts(blind: Report['blind']): readonly string[] {
  const reasons = Map.groupBy(blind, ({ reason }) => reason.replace(/^[a-zA-Z]+: /, ''));
  return [...reasons].map(([why, of]) => {
    const parts = [...new Set(of.flatMap(({ reason }) => /^([a-zA-Z]+): /.exec(reason)?.[1] ?? []))];
    const nodes = [...new Set(of.flatMap(({ node }) => node ?? []))];
    const where = nodes.length === 0 ? '' : ` of ${shortened(nodes, 3).join(', ')}`;
    const ids = [...new Set(of.map(({ id }) => id))].sort().join(' ');
    return `${parts.join(', ')}${where}: ${why} (${ids})`;
  });
}

/** Of a thousand nodes that are alike nobody reads more. */
const MOST_LINES = 10;

function shortened(lines: readonly string[], most: number): readonly string[] {
  return lines.length <= most
    ? lines
    : [...lines.slice(0, most), `and ${lines.length - most} more; -o json lists them`];
}

function conclusion({ exitCode, findings, blind, origin, pods, nodes }: Report): string {
  if (exitCode === 2 && nodes.length === 0 && origin === 'live') return 'Nothing could be looked at.';
  if (exitCode === 2) return 'Nothing was found to be wrong, but not everything could be looked at.';
  const wrong = findings.filter(({ severity }) => severity !== 'info');
  const same = wrong.filter((finding) => isSaidByVerdict(finding, pods)).length;
  const hidden = same === 0 ? '' : `, and ${same} that say the same of each node (-o json has them)`;
  if (exitCode === 1) return `${countText(wrong.length - same, 'finding')}${hidden}.`;
  const reservation = blind.length > 0 ? ', as far as it could be looked at' : '';
  if (origin === 'manifests') return 'Nothing is wrong with these manifests.';
  const whose = pods.length === 1 ? 'Every query of this pod' : `Every query of these ${pods.length} pods`;
  return `${whose} enters the cache of its node${reservation}.`;
}

function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
