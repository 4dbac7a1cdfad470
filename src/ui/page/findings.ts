/** What the doctor found: the worst first, with its evidence, its cause and its cure ready to be copied. */
import type { WireDoctor, WireFinding } from '../wire.ts';
import { clockText, visibleText } from './text.ts';
import { h, type VNode } from './view.ts';

export interface FindingsProps {
  readonly doctor: WireDoctor | 'running' | undefined;
  readonly hasDoctor: boolean;
  readonly onExamine: () => void;
  readonly onShow: (pod: string) => void;
}

const ORDER = ['broken', 'bypassed', 'warning', 'info'];
const SIGNS = { broken: '✕', bypassed: '○', warning: '!', info: 'i' } as const;

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

function bodyOf(
  report: WireDoctor | undefined,
  hasDoctor: boolean,
  onShow: (pod: string) => void,
): VNode | VNode[] {
  const say = (text: string, kind = '') => h('p', { class: `empty ${kind}` }, text);
  if (!hasDoctor) return say('There is no doctor at this source; run zerohop doctor on a node.');
  if (report === undefined) return say('Sending probes from inside the pods …');
  if (report.error !== undefined) return say(`Could not tell: ${visibleText(report.error)}`, 'bad');
  if (report.findings.length === 0)
    return say('✓ Healthy: every probe entered the cache of its node.', 'good');
  const sorted = report.findings.toSorted((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
  return sorted.map((finding, index) => findingOf(finding, index, onShow));
}

function findingOf(finding: WireFinding, index: number, onShow: (pod: string) => void): VNode {
  const { id, severity, node, pod, cause, evidence, fix } = finding;
  const where = [pod, node].filter((each) => each !== undefined).join(' · ');
  return h(
    'article',
    { class: `finding ${severity}`, key: `${id}-${index}` },
    h(
      'h3',
      {},
      h('span', { class: 'sign', 'aria-hidden': 'true' }, SIGNS[severity]),
      h('span', { class: 'severity' }, severity),
      h('span', { class: 'dim' }, id),
    ),
    pod === undefined
      ? h('p', { class: 'dim' }, h('bdi', {}, visibleText(where)))
      : h(
          'button',
          { class: 'link', title: 'Draw the way of this pod', onClick: () => onShow(pod) },
          h('bdi', {}, visibleText(where)),
        ),
    h('p', { class: 'cause' }, h('bdi', {}, visibleText(cause))),
    h(
      'details',
      {},
      h('summary', {}, `Evidence (${evidence.length})`),
      h(
        'ul',
        {},
        evidence.map((line, at) => h('li', { key: at }, h('bdi', {}, visibleText(line)))),
      ),
    ),
    h(
      'div',
      { class: 'fix' },
      h('pre', { tabIndex: 0, 'aria-label': 'What to do' }, fixText(fix.text)),
      h(
        'button',
        {
          class: 'copy',
          'aria-label': `Copy the fix of ${id}`,
          onClick: () => void navigator.clipboard.writeText(fix.text),
        },
        'Copy',
      ),
    ),
  );
}

/** Its line feeds are its own. */
function fixText(text: string): string {
  return text.split('\n').map(visibleText).join('\n');
}
