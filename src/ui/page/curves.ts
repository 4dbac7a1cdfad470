/** What went on over the last five minutes: which way queries went, how long they took, what the cache knew. */
import type { WirePoint } from '../wire.ts';
import { Curve } from './curve.ts';
import { latencyText, rateText } from './text.ts';
import { h, useMemo, type VNode } from './view.ts';

/** The share is over so many seconds: of a pod that asks once a second, one second says all or nothing. */
const SHARE_SECONDS = 10;

export function Curves({ points }: { readonly points: readonly WirePoint[] }): VNode {
  const data = useMemo(() => columnsOf(points), [points]);
  return h(
    'div',
    { class: 'curves' },
    h(Curve, {
      title: 'Queries/s',
      lines: [
        { label: '●', color: 'entered', isFilled: true },
        { label: '◐', color: 'fell-back' },
        { label: '○', color: 'bypassed' },
      ],
      data: [data.seconds, data.entered, data.fellBack, data.bypassed],
      format: rateText,
    }),
    h(Curve, {
      title: 'Latency',
      lines: [
        { label: 'p50', color: 'entered' },
        { label: 'p99', color: 'accent' },
      ],
      data: [data.seconds, data.p50, data.p99],
      format: latencyText,
      isLogarithmic: true,
    }),
    h(Curve, {
      title: 'Cache hits',
      lines: [{ label: 'share', color: 'entered', isFilled: true }],
      data: [data.seconds, data.share],
      format: (value) => `${value.toFixed(0)} %`,
      most: 100,
    }),
  );
}

export function columnsOf(points: readonly WirePoint[]) {
  const column = (at: number) => points.map((point) => point[at] ?? 0);
  const present = (at: number) => points.map((point) => ((point[at] ?? -1) < 0 ? null : (point[at] ?? null)));
  return {
    seconds: column(0),
    entered: column(1),
    fellBack: column(2),
    bypassed: column(3),
    p50: present(6),
    p99: present(7),
    share: points.map((_, index) => shareOf(points.slice(Math.max(0, index + 1 - SHARE_SECONDS), index + 1))),
  };
}

function shareOf(points: readonly WirePoint[]): number | null {
  const sum = (at: number) => points.reduce((total, point) => total + (point[at] ?? 0), 0);
  const hits = sum(4);
  const served = hits + sum(5);
  return served === 0 ? null : (hits / served) * 100;
}
