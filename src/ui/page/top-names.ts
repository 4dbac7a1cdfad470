/** The names that are asked for most, over the last half minute. */
import type { WireName } from '../wire.ts';
import { sparkline } from './sparkline.ts';
import { rateText, visibleText } from './text.ts';
import { h, type VNode } from './view.ts';

export interface TopNamesProps {
  readonly names: readonly WireName[];
  readonly onName: (name: string) => void;
}

export function TopNames({ names, onName }: TopNamesProps): VNode {
  return h(
    'section',
    { class: 'panel names', 'aria-labelledby': 'names-title' },
    h('header', {}, h('h2', { id: 'names-title' }, 'Top names'), h('span', { class: 'dim' }, 'last 30 s')),
    h(
      'ul',
      { class: 'scroll' },
      names.map((row) => h('li', { key: row.name }, rowOf(row, onName))),
    ),
  );
}

function rowOf({ name, rate, nameErrorShare, history }: WireName, onName: (name: string) => void): VNode {
  const text = visibleText(name);
  const isAbsent = nameErrorShare > 0.5;
  const title = isAbsent
    ? `${text} mostly does not exist (NXDOMAIN); list its queries`
    : `List the queries for ${text}`;
  return h(
    'button',
    { class: `name-row${isAbsent ? ' absent' : ''}`, title, onClick: () => onName(name) },
    h('bdi', { class: 'name' }, text),
    sparkline(history),
    h('span', { class: 'number' }, `${rateText(rate)}/s`),
  );
}
