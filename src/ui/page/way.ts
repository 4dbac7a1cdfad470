/** The way of a query as a drawing: six places, eight arrows, each with how many go there a second and how long it takes. */
import type { EdgeName, QueryOutcome, WireEdge, WireSnapshot } from '../wire.ts';
import { latencyText, podName, rateText, shareText, visibleText } from './text.ts';
import { h, type VNode } from './view.ts';

interface Arrow {
  readonly name: EdgeName;
  readonly path: string;
  /** Where its numbers stand. */
  readonly x: number;
  readonly y: number;
  readonly kind: 'plain' | 'entered' | 'kernel' | 'fell-back' | 'bypassed';
  readonly says: string;
}

const ARROWS: readonly Arrow[] = [
  { name: 'pod-hook', path: 'M158 110H286', x: 222, y: 110, kind: 'plain', says: 'queries' },
  { name: 'hook-cache', path: 'M406 110H574', x: 488, y: 110, kind: 'entered', says: 'entered the cache' },
  {
    name: 'hook-cluster',
    path: 'M346 144V216Q346 238 368 238H574',
    x: 465,
    y: 238,
    kind: 'fell-back',
    says: 'went past the cache to the cluster DNS',
  },
  {
    name: 'hook-upstream',
    path: 'M346 76V50Q346 28 368 28H952Q974 28 974 50V76',
    x: 660,
    y: 28,
    kind: 'bypassed',
    says: 'went past the cache to elsewhere',
  },
  {
    name: 'cache-cluster',
    path: 'M648 144V204',
    x: 648,
    y: 173,
    kind: 'plain',
    says: 'the cache asked the cluster DNS',
  },
  {
    name: 'cache-upstream',
    path: 'M722 110H902',
    x: 810,
    y: 110,
    kind: 'plain',
    says: 'the cache asked upstream',
  },
  {
    name: 'cluster-upstream',
    path: 'M722 238H952Q974 238 974 216V144',
    x: 810,
    y: 238,
    kind: 'plain',
    says: 'the cluster DNS asked upstream',
  },
  {
    name: 'hook-kernel',
    path: 'M316 144V216Q316 238 294 238H158',
    x: 228,
    y: 238,
    kind: 'kernel',
    says: 'answered by the kernel itself',
  },
];

export function Way({
  snapshot,
  chosen,
}: {
  readonly snapshot: WireSnapshot | undefined;
  readonly chosen: string;
}): VNode {
  const edges = new Map(snapshot?.way.edges.map((edge) => [edge.name, edge] as const));
  const who = chosen === '' ? 'All pods' : podName(chosen);
  const arrows = ARROWS.map((arrow) =>
    arrow.name === 'hook-cluster' ? { ...arrow, kind: pastKind(snapshot) } : arrow,
  );
  const drawn = arrows.map((arrow) => arrowOf(arrow, edges.get(arrow.name)));
  const labels = arrows.map((arrow) => labelOf(arrow, edges.get(arrow.name)));
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
      { viewBox: '0 0 1060 284', role: 'img', 'aria-label': spoken(snapshot) },
      h('defs', {}, tip()),
      drawn,
      place({
        x: 14,
        width: 144,
        title: short(visibleText(who)),
        text: chosen === '' ? 'ask' : 'asks',
        kind: 'pod',
      }),
      place({ x: 14, y: 204, width: 144, title: 'kernel', text: 'answer map', kind: 'kernel' }),
      place({ x: 286, width: 120, title: 'hook', text: hookText(snapshot), kind: 'hook' }),
      place({ x: 574, width: 148, title: 'node cache', text: hitText(snapshot), kind: 'cache' }),
      place({ x: 574, y: 204, width: 148, title: 'cluster DNS', text: 'kube-dns', kind: 'dns' }),
      place({ x: 902, width: 144, title: 'upstream', text: 'beyond the cluster', kind: 'dns' }),
      labels,
    ),
    reasons(snapshot),
  );
}

/** What goes past the cache fell back or bypassed it: the colour is of what there is more of. */
function pastKind(snapshot: WireSnapshot | undefined): Arrow['kind'] {
  const { fellBackRate = 0, bypassedRate = 0 } = snapshot?.way ?? {};
  return bypassedRate > fellBackRate ? 'bypassed' : 'fell-back';
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

/** Arrows with room for one latency. */
const SHORT: readonly EdgeName[] = ['pod-hook', 'hook-kernel'];

function labelOf({ name, x, y, kind, says }: Arrow, edge: WireEdge | undefined): VNode {
  const rate = edge?.rate ?? 0;
  const isIdle = rate === 0;
  const isShort = SHORT.includes(name);
  const both = `${latencyText(edge?.p50)} · ${latencyText(edge?.p99)}`;
  const latency = isIdle ? '' : isShort ? latencyText(edge?.p50) : both;
  const wide = isIdle ? 36 : isShort ? 84 : 132;
  return h(
    'g',
    { class: `label ${kind}${isIdle ? ' idle' : ''}`, key: name },
    h(
      'title',
      {},
      `${says}: ${rateText(rate)} a second, half within ${latencyText(edge?.p50)}, 99 of 100 within ${latencyText(edge?.p99)}`,
    ),
    h('rect', { x: x - wide / 2, y: y - (isIdle ? 10 : 19), width: wide, height: isIdle ? 20 : 38, rx: 4 }),
    h('text', { class: 'rate', x, y: isIdle ? y + 5 : y - 3 }, isIdle ? '0' : `${rateText(rate)}/s`),
    h('text', { class: 'latency', x, y: y + 13 }, latency),
  );
}

interface Place {
  readonly x: number;
  readonly y?: number;
  readonly width: number;
  readonly title: string;
  readonly text: string;
  readonly kind: string;
}

function place({ x, y = 76, width, title, text, kind }: Place): VNode {
  return h(
    'g',
    { class: `place ${kind}` },
    h('rect', { x, y, width, height: 68, rx: 8 }),
    h('text', { class: 'place-title', x: x + width / 2, y: y + 30 }, title),
    h('text', { class: 'place-text', x: x + width / 2, y: y + 50 }, text),
  );
}

function tip(): VNode {
  const size = {
    viewBox: '0 0 8 8',
    refX: 7,
    refY: 4,
    markerWidth: 9,
    markerHeight: 9,
    markerUnits: 'userSpaceOnUse',
  };
  return h('marker', { id: 'tip', ...size, orient: 'auto' }, h('path', { class: 'tip', d: 'M0 0L8 4L0 8Z' }));
}

function legend(): VNode {
  const item = (kind: string, sign: string, text: string) =>
    h('span', { class: `key ${kind}` }, `${sign} ${text}`);
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
  const top = (outcome: QueryOutcome) => way?.reasons.find((row) => row.outcome === outcome)?.reason;
  const fellBack = top('fell-back');
  const dropped = top('dropped');
  const parts = [
    ...((way?.bypassedRate ?? 0) > 0
      ? [`○ ${rateText(way?.bypassedRate ?? 0)}/s bypassed: no redirect was tried`]
      : []),
    ...(fellBack === undefined
      ? []
      : [`◐ ${rateText(way?.fellBackRate ?? 0)}/s fell back: ${visibleText(fellBack)}`]),
    ...(dropped === undefined
      ? []
      : [`✕ ${rateText(way?.droppedRate ?? 0)}/s dropped: ${visibleText(dropped)}`]),
    ...((way?.unansweredRate ?? 0) > 0 ? [`${rateText(way?.unansweredRate ?? 0)}/s without an answer`] : []),
    ...((way?.failureRate ?? 0) > 0
      ? [`${rateText(way?.failureRate ?? 0)}/s failed (SERVFAIL, REFUSED …)`]
      : []),
  ];
  const text = snapshot === undefined ? '' : parts.join('   ·   ') || 'Nothing fell back, nothing failed';
  return h('p', { class: 'reasons', title: text }, text);
}

function hookText(snapshot: WireSnapshot | undefined): string {
  const rate = (name: EdgeName) => snapshot?.way.edges.find((edge) => edge.name === name)?.rate ?? 0;
  const total = rate('pod-hook');
  const entered = rate('hook-cache') + rate('hook-kernel');
  return total === 0 ? 'quiet' : `${shareText(Math.min(1, entered / total))} entered`;
}

function hitText(snapshot: WireSnapshot | undefined): string {
  return `hits ${shareText(snapshot?.way.hitShare)}`;
}

function spoken(snapshot: WireSnapshot | undefined): string {
  const edges = snapshot?.way.edges ?? [];
  return ARROWS.map(({ name, says }) => {
    const edge = edges.find((each) => each.name === name);
    return `${says}: ${rateText(edge?.rate ?? 0)} a second, median ${latencyText(edge?.p50)}`;
  }).join('; ');
}

function short(text: string): string {
  return text.length > 16 ? `${text.slice(0, 7)}…${text.slice(-8)}` : text;
}
