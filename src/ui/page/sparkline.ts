/** A curve without axes, the size of a word. */
import { h, type VNode } from './view.ts';

const WIDTH = 60;
const HEIGHT = 16;

export function sparkline(values: readonly number[], length = 30): VNode {
  const most = Math.max(1e-9, ...values);
  const step = WIDTH / (length - 1);
  const first = WIDTH - (values.length - 1) * step;
  const points = values.map((value, index) => {
    const y = HEIGHT - 1 - (value / most) * (HEIGHT - 2);
    return `${(first + index * step).toFixed(1)},${y.toFixed(1)}`;
  });
  const line = h('polyline', { points: points.join(' ') });
  return h('svg', { class: 'spark', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, 'aria-hidden': 'true' }, line);
}
