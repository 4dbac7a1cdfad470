/** One curve panel: the charting library behind a component. Colours come from the style sheet, and change with it. */
import uPlot from 'uplot';
import { h, useEffect, useRef, type VNode } from './view.ts';

export interface CurveLine {
  readonly label: string;
  /** Name of a custom property of the style sheet. */
  readonly color: string;
  readonly isFilled?: boolean;
}

export interface CurveProps {
  readonly title: string;
  readonly lines: readonly CurveLine[];
  /** Seconds, then one array for each line; null where there is nothing. */
  readonly data: readonly (readonly (number | null)[])[];
  readonly format: (value: number) => string;
  /** Upper end of the scale, if it is fixed. */
  readonly most?: number;
  readonly isLogarithmic?: boolean;
}

export const CURVE_HEIGHT = 118;

export function Curve(props: CurveProps): VNode {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const build = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(props, element.clientWidth), dataOf(props), element);
    };
    build();
    const observer = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: CURVE_HEIGHT }),
    );
    observer.observe(element);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', build);
    return () => {
      scheme.removeEventListener('change', build);
      observer.disconnect();
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(dataOf(props)), [props.data]);
  const now = props.lines.map(({ label, color }, index) => {
    const value = props.data[index + 1]?.at(-1);
    const text = typeof value === 'number' ? props.format(value) : '–';
    return h('span', { class: `key ${color}`, key: label }, `${label} `, h('b', {}, text));
  });
  const spoken = `${props.title} over the last five minutes`;
  return h(
    'figure',
    { class: 'panel curve' },
    h('figcaption', {}, h('h2', {}, props.title), h('span', { class: 'keys' }, now)),
    h('div', { class: 'plot', ref: place, role: 'img', 'aria-label': spoken }),
  );
}

function dataOf({ data }: CurveProps): uPlot.AlignedData {
  return data.map((line) => [...line]) as unknown as uPlot.AlignedData;
}

function optionsOf({ lines, format, most, isLogarithmic = false }: CurveProps, width: number): uPlot.Options {
  const axis = { stroke: colorOf('dim'), font: '11px system-ui, sans-serif', ticks: { show: false } };
  const grid = { stroke: colorOf('line'), width: 1 };
  return {
    width,
    height: CURVE_HEIGHT,
    padding: [8, 16, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: true, range: (_, __, last) => [last - 300, last] },
      y: isLogarithmic
        ? {
            distr: 3,
            range: (_, least, top) => [
              10 ** Math.floor(Math.log10(least || 0.01)),
              10 ** Math.ceil(Math.log10(top || 1)),
            ],
          }
        : { range: (_, __, top) => [0, most ?? Math.max(1, (top || 0) * 1.15)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 22,
        values: (_, ticks) => ticks.map((tick) => new Date(tick * 1000).toTimeString().slice(0, 5)),
        incrs: [60, 120],
      },
      {
        ...axis,
        grid: isLogarithmic ? { ...grid, filter: onlyDecades } : grid,
        size: 52,
        space: 26,
        values: (_, ticks) => ticks.map((tick) => (isLogarithmic && !isDecade(tick) ? '' : format(tick))),
      },
    ],
    series: [
      {},
      ...lines.map(({ color, isFilled }) => ({
        stroke: colorOf(color),
        width: 1.5,
        points: { show: false },
        ...(isFilled === true ? { fill: `${colorOf(color)}2e` } : {}),
      })),
    ],
  };
}

/** Else a logarithmic scale is a fence. */
function onlyDecades(_: uPlot, splits: number[]): (number | null)[] {
  return splits.map((split) => (isDecade(split) ? split : null));
}

function isDecade(value: number): boolean {
  const power = Math.log10(value);
  return Math.abs(power - Math.round(power)) < 1e-6;
}

function colorOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
