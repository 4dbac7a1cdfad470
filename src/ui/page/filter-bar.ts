/** Which queries are listed. Each field is a word of the page's address. */
import type { Filters } from './filters.ts';
import { isFiltered } from './filters.ts';
import { h, type VNode } from './view.ts';

export interface FilterBarProps {
  readonly filters: Filters;
  readonly onFilter: (change: Partial<Filters>) => void;
  readonly onClear: () => void;
}

const VERDICTS = ['entered', 'kernel', 'fell-back', 'bypassed', 'dropped'];
const RCODES = ['NOERROR', 'NXDOMAIN', 'SERVFAIL', 'REFUSED', 'FORMERR', 'NONE'];

export function FilterBar({ filters, onFilter, onClear }: FilterBarProps): VNode {
  const wordOf = (event: Event) => (event.target as HTMLInputElement | HTMLSelectElement).value;
  const text = (key: 'ns' | 'pod' | 'name', label: string) =>
    h('input', {
      type: 'search',
      id: `filter-${key}`,
      class: `filter-${key}`,
      placeholder: label,
      'aria-label': `Only this ${label.toLowerCase()}`,
      spellcheck: false,
      autocomplete: 'off',
      value: filters[key],
      onInput: (event: Event) => onFilter({ [key]: wordOf(event) }),
    });
  const choice = (
    key: 'rcode' | 'verdict' | 'slow',
    label: string,
    options: readonly (readonly [string, string])[],
  ) =>
    h(
      'select',
      {
        id: `filter-${key}`,
        'aria-label': label,
        value: filters[key],
        onChange: (event: Event) => onFilter({ [key]: wordOf(event) }),
      },
      [['', label] as const, ...options].map(([value, shown]) => h('option', { value, key: value }, shown)),
    );
  const toggle = (key: 'bypassed' | 'servers', label: string, title: string) =>
    h(
      'button',
      {
        id: `filter-${key}`,
        class: 'toggle',
        title,
        'aria-pressed': filters[key],
        onClick: () => onFilter({ [key]: !filters[key] }),
      },
      label,
    );
  return h(
    'search',
    { class: 'filters', 'aria-label': 'Filters of the queries' },
    text('name', 'Name'),
    text('ns', 'Namespace'),
    text('pod', 'Pod'),
    choice(
      'verdict',
      'Any verdict',
      VERDICTS.map((word) => [word, word.replace('-', ' ')]),
    ),
    choice(
      'rcode',
      'Any answer',
      RCODES.map((word) => [word, word === 'NONE' ? 'no answer' : word]),
    ),
    choice(
      'slow',
      'Any latency',
      [10, 100, 1000].map((ms) => [String(ms), `over ${ms} ms`]),
    ),
    toggle('bypassed', 'Not by the cache', 'Only queries that did not enter the cache of their node (b)'),
    toggle('servers', 'Servers too', 'The queries of caches and cluster DNS too'),
    h(
      'button',
      { class: 'clear', disabled: !isFiltered(filters), title: 'Clear filters (x)', onClick: onClear },
      'Clear',
    ),
  );
}
