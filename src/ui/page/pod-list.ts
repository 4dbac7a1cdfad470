/** The pods that ask, busiest first, and the choice among them. Order changes only while nobody points or moves in it. */
import type { WirePod } from '../wire.ts';
import { sparkline } from './sparkline.ts';
import { latencyText, podName, podNamespace, rateText, visibleText } from './text.ts';
import { h, useRef, useState, type VNode } from './view.ts';

export interface PodListProps {
  readonly pods: readonly WirePod[];
  readonly chosen: string;
  readonly onChoose: (pod: string) => void;
}

export function PodList({ pods, chosen, onChoose }: PodListProps): VNode {
  const [search, setSearch] = useState('');
  const [isStill, setStill] = useState(false);
  const order = useRef<readonly string[]>([]);
  const shown = inOrder(pods, isStill ? order.current : []).filter(({ pod }) => pod.includes(search.trim()));
  if (!isStill) order.current = shown.map(({ pod }) => pod);
  const options = ['', ...shown.map(({ pod }) => pod)];
  const onKeyDown = (event: KeyboardEvent) => {
    const at = Math.max(0, options.indexOf(chosen));
    const next = nextIndex(event.key, at, options.length);
    if (next === undefined) return;
    event.preventDefault();
    onChoose(options[next] ?? '');
  };
  const still = (value: boolean) => () => setStill(value);
  return h(
    'section',
    { class: 'panel pods', 'aria-labelledby': 'pods-title' },
    h('header', {}, h('h2', { id: 'pods-title' }, 'Pods'), h('span', { class: 'dim' }, 'last 15 s')),
    h('input', {
      type: 'search',
      id: 'pod-search',
      placeholder: 'Find a pod',
      'aria-label': 'Find a pod',
      value: search,
      onInput: (event: Event) => setSearch((event.target as HTMLInputElement).value),
    }),
    h(
      'div',
      {
        id: 'pod-list',
        class: 'scroll',
        role: 'listbox',
        tabIndex: 0,
        'aria-label': 'Whose way is drawn',
        'aria-activedescendant': optionId(chosen),
        onKeyDown,
        onMouseEnter: still(true),
        onMouseLeave: still(false),
        onFocus: still(true),
        onBlur: still(false),
      },
      allOption(pods, chosen === '', () => onChoose('')),
      shown.map((row) => podOption(row, row.pod === chosen, () => onChoose(row.pod))),
    ),
  );
}

function allOption(pods: readonly WirePod[], isChosen: boolean, onClick: () => void): VNode {
  const rate = pods.reduce((sum, pod) => sum + pod.rate, 0);
  const attributes = {
    id: optionId(''),
    role: 'option',
    class: 'pod all',
    'aria-selected': isChosen,
    onClick,
  };
  const count = countText(pods.filter(({ pod }) => pod.includes('/')).length, pods.length);
  return h(
    'div',
    attributes,
    h('span', { class: 'pod-name' }, 'All pods'),
    h('span', { class: 'number' }, `${rateText(rate)}/s`),
    h('span', { class: 'dim' }, count),
  );
}

function podOption(row: WirePod, isChosen: boolean, onClick: () => void): VNode {
  const { pod, node, rate, p99, history } = row;
  const title = `${pod} on ${node}: ${row.entered} entered the cache, ${row.fellBack} fell back, ${row.bypassed} bypassed it, ${row.dropped} were dropped`;
  return h(
    'div',
    {
      id: optionId(pod),
      role: 'option',
      class: 'pod',
      key: pod,
      title: visibleText(title),
      'aria-selected': isChosen,
      onClick,
    },
    h('bdi', { class: 'pod-name' }, visibleText(podName(pod))),
    h('span', { class: 'number' }, `${rateText(rate)}/s`),
    h(
      'bdi',
      { class: 'dim pod-place' },
      visibleText([podNamespace(pod), node].filter((part) => part !== '').join(' · ')),
    ),
    h('span', { class: 'dim number' }, latencyText(p99)),
    sparkline(history),
    shareBar(row),
  );
}

/** Whoever has no name is no pod: a node, or somebody from outside. */
function countText(pods: number, all: number): string {
  const others = all - pods;
  const text = pods === 1 ? '1 pod' : `${pods} pods`;
  return others === 0 ? text : `${text}, ${others} ${others === 1 ? 'address' : 'addresses'}`;
}

/** Which part went which way. */
function shareBar({ entered, fellBack, bypassed, dropped }: WirePod): VNode {
  const total = Math.max(1, entered + fellBack + bypassed + dropped);
  let x = 0;
  const part = (kind: string, count: number) => {
    const width = (count / total) * 100;
    x += width;
    return h('rect', { class: `fill-${kind}`, x: x - width, y: 0, width, height: 4 });
  };
  const parts = [
    part('entered', entered),
    part('fell-back', fellBack),
    part('bypassed', bypassed),
    part('dropped', dropped),
  ];
  return h(
    'svg',
    { class: 'share', viewBox: '0 0 100 4', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    parts,
  );
}

function optionId(pod: string): string {
  return `pod-${pod === '' ? 'all' : pod.replace(/[^\w-]/g, '_')}`;
}

function inOrder(pods: readonly WirePod[], order: readonly string[]): readonly WirePod[] {
  if (order.length === 0) return pods;
  const place = (pod: string) => (order.includes(pod) ? order.indexOf(pod) : order.length);
  return pods.toSorted((a, b) => place(a.pod) - place(b.pod));
}

export function nextIndex(key: string, at: number, length: number): number | undefined {
  const steps: Readonly<Record<string, number>> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    PageDown: at + 10,
    PageUp: at - 10,
    Home: 0,
    End: length - 1,
  };
  const next = Object.hasOwn(steps, key) ? steps[key] : undefined;
  return next === undefined ? undefined : Math.max(0, Math.min(length - 1, next));
}
