/** What the doctor found: what became of each pod's probes, then the worst first with its evidence, cause and cure. */
import type { WireDoctor, WireFinding, WirePodVerdict } from '../wire.ts';
import { type GroupedFinding, groupFindings, isHealthy } from './group-findings.ts';
import { clockText, visibleText } from './text.ts';
import { h, type VNode } from './view.ts';

export interface FindingsProps {
  readonly doctor: WireDoctor | 'running' | undefined;
  readonly hasDoctor: boolean;
  readonly onExamine: () => void;
  readonly onShow: (pod: string) => void;
}

type OnShow = FindingsProps['onShow'];

const SIGNS = { broken: '✕', bypassed: '○', warning: '!', info: 'i' } as const;
const VERDICTS = {
  ENTERED: { sign: '●', word: 'entered', kind: 'entered' },
  BYPASSED: { sign: '○', word: 'bypassed', kind: 'bypassed' },
  BROKEN: { sign: '✕', word: 'broken', kind: 'broken' },
  UNKNOWN: { sign: '?', word: 'unknown', kind: 'unknown' },
} as const;
const FIXES = { command: 'What to run', yaml: 'What to apply', text: 'What to do' } as const;
/** A fix of more lines is opened by who wants it. */
const SHORT_FIX_LINES = 3;

export function Findings({ doctor, hasDoctor, onExamine, onShow }: FindingsProps): VNode {
  const isRunning = doctor === 'running';
  const report = isRunning ? undefined : doctor;
  const at = report === undefined ? '' : clockText(report.atMs).slice(0, 8);
  return h(
    'section',
    { class: 'panel findings', 'aria-labelledby': 'findings-title' },
    h(
      'header',
      {},
      h('h2', { id: 'findings-title' }, 'Doctor'),
      h('span', { class: 'dim' }, at),
      h(
        'button',
        { id: 'examine', disabled: isRunning || !hasDoctor, title: 'Look again (d)', onClick: onExamine },
        isRunning ? 'Looking …' : 'Look again',
      ),
    ),
    h(
      'div',
      {
        class: 'scroll',
        tabIndex: 0,
        role: 'region',
        'aria-label': 'Findings of the doctor',
        'aria-live': 'polite',
      },
      bodyOf(report, hasDoctor, onShow),
    ),
  );
}

function bodyOf(report: WireDoctor | undefined, hasDoctor: boolean, onShow: OnShow): VNode | VNode[] {
  const say = (text: string, kind = '') => h('p', { class: `empty ${kind}` }, text);
  if (!hasDoctor) return say('There is no doctor at this source; run zerohop doctor on a node.');
  if (report === undefined) return say('Sending probes from inside the pods …');
  if (report.error !== undefined) return say(`Could not tell: ${visibleText(report.error)}`, 'bad');
  const { pods, findings, unknown } = report;
  const groups = groupFindings(findings);
  return [
    ...(pods.length === 0
      ? [say('No pod was probed, so nothing can be said of any.')]
      : [verdictsOf(pods, onShow)]),
    ...(isHealthy(report) ? [say('✓ Healthy: every probe entered the cache of its node.', 'good')] : []),
    ...groups.map((group, index) => findingOf(group, index, onShow)),
    ...(unknown.length === 0 ? [] : [unknownOf(unknown)]),
  ];
}

function verdictsOf(pods: readonly WirePodVerdict[], onShow: OnShow): VNode {
  const row = ({ pod, node, verdict, cause }: WirePodVerdict) => {
    const { sign, word, kind } = VERDICTS[verdict];
    const title = visibleText(cause === '' ? `Its probes on ${node}: ${word}` : cause);
    return h(
      'li',
      { key: pod },
      h(
        'button',
        { class: 'verdict-row', title, onClick: () => onShow(pod) },
        h('span', { class: `verdict-sign ${kind}`, 'aria-hidden': 'true' }, sign),
        h('bdi', { class: 'verdict-pod' }, visibleText(pod)),
        h('span', { class: `verdict-word ${kind}` }, word),
      ),
    );
  };
  return h(
    'ul',
    { class: 'verdicts', key: 'verdicts', 'aria-label': 'Probes from inside the pods' },
    pods.map(row),
  );
}

function findingOf({ finding, where }: GroupedFinding, index: number, onShow: OnShow): VNode {
  const { id, severity, title, pod, cause, evidence } = finding;
  const place = visibleText(where.join(', '));
  return h(
    'article',
    { class: `finding ${severity}`, key: `${id}-${index}` },
    h(
      'h3',
      {},
      h('span', { class: 'sign', 'aria-hidden': 'true' }, SIGNS[severity]),
      h('span', { class: 'title' }, h('bdi', {}, visibleText(title))),
    ),
    h(
      'p',
      { class: 'dim where' },
      h('span', { class: 'severity' }, severity),
      ` · ${id} `,
      pod === undefined
        ? h('bdi', {}, place === '' ? '' : `· ${place}`)
        : h(
            'button',
            { class: 'link', title: 'Draw the way of this pod', onClick: () => onShow(pod) },
            h('bdi', {}, place),
          ),
    ),
    h('p', { class: 'cause' }, h('bdi', {}, visibleText(cause))),
    linesOf(`Evidence (${evidence.length})`, evidence),
    fixOf(finding),
  );
}

function fixOf({ id, fix }: WireFinding): VNode {
  // Its line feeds are its own; what is copied is what is seen, or it could hide what a terminal obeys.
  const lines = fix.text.trimEnd().split('\n').map(visibleText);
  const text = lines.join('\n');
  const copy = h(
    'button',
    {
      class: 'copy',
      'aria-label': `Copy the fix of ${id}`,
      onClick: () => void navigator.clipboard.writeText(text),
    },
    'Copy',
  );
  return h(
    'details',
    { class: 'fix', open: lines.length <= SHORT_FIX_LINES },
    h('summary', {}, FIXES[fix.kind]),
    h(
      'div',
      {},
      h('pre', { tabIndex: 0, 'aria-label': FIXES[fix.kind] }, text),
      fix.kind === 'text' ? null : copy,
    ),
  );
}

function unknownOf(unknown: readonly string[]): VNode {
  const count = unknown.length === 1 ? '1 thing' : `${unknown.length} things`;
  return h(
    'article',
    { class: 'finding', key: 'unknown' },
    linesOf(`${count} could not be looked at`, unknown),
  );
}

function linesOf(title: string, lines: readonly string[]): VNode {
  return h(
    'details',
    {},
    h('summary', {}, title),
    h(
      'ul',
      {},
      lines.map((line, at) => h('li', { key: at }, h('bdi', {}, visibleText(line)))),
    ),
  );
}
