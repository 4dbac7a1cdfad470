/** The way of a query as a drawing: five places, seven arrows, each with how many go there a second and how long it takes. */
import type { EdgeName, WireEdge, WireSnapshot } from '../wire.ts';
import { latencyText, podName, rateText, shareText, visibleText } from './text.ts';
import { h, type VNode } from './view.ts';

interface Arrow {
  readonly name: EdgeName;
  readonly path: string;
  /** Where its numbers stand. */
  readonly x: number;
  readonly y: number;
  readonly kind: 'plain' | 'entered' | 'fell-back' | 'bypassed';
  readonly says: string;
}

const ARROWS: readonly Arrow[] = [
  { name: 'pod-hook', path: 'M150 110H236', x: 193, y: 110, kind: 'plain', says: 'queries of the pod' },
  { name: 'hook-cache', path: 'M360 110H516', x: 438, y: 110, kind: 'entered', says: 'entered the cache' },
  { name: 'hook-cluster', path: 'M298 144V216Q298 238 320 238H516', x: 417, y: 238, kind: 'fell-back', says: 'went past the cache to the cluster DNS' },
  { name: 'hook-upstream', path: 'M298 76V50Q298 28 320 28H878Q900 28 900 50V68', x: 600, y: 28, kind: 'bypassed', says: 'went past the cache to elsewhere' },
  { name: 'cache-cluster', path: 'M588 144V196', x: 588, y: 172, kind: 'plain', says: 'the cache asked the cluster DNS' },
  { name: 'cache-upstream', path: 'M660 110H828', x: 744, y: 110, kind: 'plain', says: 'the cache asked upstream' },
  { name: 'cluster-upstream', path: 'M660 238H878Q900 238 900 216V152', x: 762, y: 238, kind: 'plain', says: 'the cluster DNS asked upstream' },
];

export function Way({ snapshot, chosen }: { readonly snapshot: WireSnapshot | undefined; readonly chosen: string }): VNode {
  const edges = new Map(snapshot?.way.edges.map((edge) => [edge.name, edge] as const));
  const who = chosen === '' ? 'All pods' : podName(chosen);
  const drawn = ARROWS.map((arrow) => arrowOf(arrow, edges.get(arrow.name)));
  const labels = ARROWS.map((arrow) => labelOf(arrow, edges.get(arrow.name)));
  return h(
    'section',
    { class: 'panel way', 'aria-labelledby': 'way-title' },
    h(
      'header',
      {},
      h('h2', { id: 'way-title' }, "The query's way"),
      h('bdi', { class: 'dim way-who' }, chosen === '' ? 'all pods together' : visibleText(chosen)),
      legend(),
    ),
    h(
      'svg',
      { viewBox: '0 0 980 268', role: 'img', 'aria-label': spoken(snapshot) },
      h('defs', {}, tip()),
      drawn,
      place({ x: 14, y: 76, width: 136, title: short(visibleText(who)), text: chosen === '' ? 'ask' : 'asks', kind: 'pod' }),
      place({ x: 236, y: 76, width: 124, title: 'hook', text: hookText(snapshot), kind: 'hook' }),
      place({ x: 516, y: 76, width: 144, title: 'node cache', text: `hits ${shareText(snapshot?.way.hitShare)}`, kind: 'cache' }),
      place({ x: 516, y: 204, width: 144, title: 'cluster DNS', text: 'kube-dns', kind: 'dns' }),
      place({ x: 828, y: 76, width: 138, title: 'upstream', text: 'beyond the cluster', kind: 'dns' }),
      labels,
    ),
    reasons(snapshot),
  );
}

function arrowOf({ name, path, kind }: Arrow, edge: WireEdge | undefined): VNode {
  const rate = edge?.rate ?? 0;
  const speed = rate === 0 ? 'idle' : rate < 5 ? 'slow' : rate < 50 ? 'brisk' : 'fast';
  const width = rate === 0 ? 1.5 : Math.min(6, 1.5 + Math.log10(1 + rate) * 1.5);
  return h(
    'g',
    { class: `arrow ${kind} ${speed}`, key: name },
    h('path', { class: 'rail', d: path, 'stroke-width': width, 'marker-end': 'url(#tip)' }),
    h('path', { class: 'flow', d: path, 'stroke-width': width }),
  );
}

function labelOf({ name, x, y, kind, says }: Arrow, edge: WireEdge | undefined): VNode {
  const rate = edge?.rate ?? 0;
  const isIdle = rate === 0;
  const latency = isIdle ? '' : `${latencyText(edge?.p50)} · ${latencyText(edge?.p99)}`;
  const wide = isIdle ? 36 : name === 'pod-hook' ? 78 : 118;
  return h(
    'g',
    { class: `label ${kind}${isIdle ? ' idle' : ''}`, key: name },
    h('title', {}, `${says}: ${rateText(rate)} a second, half within ${latencyText(edge?.p50)}, 99 of 100 within ${latencyText(edge?.p99)}`),
    h('rect', { x: x - wide / 2, y: y - (isIdle ? 10 : 19), width: wide, height: isIdle ? 20 : 38, rx: 4 }),
    h('text', { class: 'rate', x, y: isIdle ? y + 5 : y - 3 }, isIdle ? '0' : `${rateText(rate)}/s`),
    h('text', { class: 'latency', x, y: y + 13 }, name === 'pod-hook' && !isIdle ? latencyText(edge?.p50) : latency),
  );
}

interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly title: string;
  readonly text: string;
  readonly kind: string;
}

function place({ x, y, width, title, text, kind }: Place): VNode {
  return h(
    'g',
    { class: `place ${kind}` },
    h('rect', { x, y, width, height: 68, rx: 8 }),
    h('text', { class: 'place-title', x: x + width / 2, y: y + 30 }, title),
    h('text', { class: 'place-text', x: x + width / 2, y: y + 50 }, text),
  );
}

function tip(): VNode {
  const size = { viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 9, markerHeight: 9, markerUnits: 'userSpaceOnUse' };
  return h('marker', { id: 'tip', ...size, orient: 'auto' }, h('path', { class: 'tip', d: 'M0 0L8 4L0 8Z' }));
}

function legend(): VNode {
  const item = (kind: string, sign: string, text: string) => h('span', { class: `key ${kind}` }, `${sign} ${text}`);
  return h(
    'span',
    { class: 'legend' },
    item('entered', '●', 'entered'),
    item('fell-back', '◐', 'fell back'),
    item('bypassed', '○', 'bypassed'),
    h('span', { class: 'dim' }, 'numbers: rate, p50 · p99'),
  );
}

function reasons(snapshot: WireSnapshot | undefined): VNode {
  const way = snapshot?.way;
  const [top] = way?.reasons ?? [];
  const parts = [
    ...(top === undefined ? [] : [`Fell back: ${visibleText(top.reason)}`]),
    ...((way?.unansweredRate ?? 0) > 0 ? [`${rateText(way?.unansweredRate ?? 0)}/s without an answer`] : []),
    ...((way?.failureRate ?? 0) > 0 ? [`${rateText(way?.failureRate ?? 0)}/s failed (SERVFAIL, REFUSED …)`] : []),
  ];
  const text = snapshot === undefined ? '' : parts.join('   ·   ') || 'Nothing fell back, nothing failed';
  return h('p', { class: 'reasons', title: text }, text);
}

function hookText(snapshot: WireSnapshot | undefined): string {
  const rate = (name: EdgeName) => snapshot?.way.edges.find((edge) => edge.name === name)?.rate ?? 0;
  const total = rate('pod-hook');
  return total === 0 ? 'quiet' : `${shareText(Math.min(1, rate('hook-cache') / total))} redirected`;
}

function spoken(snapshot: WireSnapshot | undefined): string {
  const edges = snapshot?.way.edges ?? [];
  return ARROWS.map(({ name, says }) => {
    const edge = edges.find((each) => each.name === name);
    return `${says}: ${rateText(edge?.rate ?? 0)} a second, median ${latencyText(edge?.p50)}`;
  }).join('; ');
}

function short(text: string): string {
  return text.length > 18 ? `${text.slice(0, 8)}…${text.slice(-9)}` : text;
}
