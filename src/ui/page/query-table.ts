/** The newest queries, one a row, and each one's flows below it when opened. Rows do not move under a reader. */
import type { WireQuery, WireStep } from '../wire.ts';
import { FilterBar, type FilterBarProps } from './filter-bar.ts';
import type { Hold, PageState } from './page-state.ts';
import { nextIndex } from './pod-list.ts';
import { clockText, latencyText, podName, podNamespace, visibleText } from './text.ts';
import { h, type VNode } from './view.ts';

export interface QueryTableProps extends FilterBarProps {
  readonly state: PageState;
  readonly onHold: (reason: Hold, isHeld: boolean) => void;
  readonly onOpen: (id: number | undefined) => void;
  readonly onRelease: () => void;
}

const SIGNS = { entered: '●', 'fell-back': '◐', bypassed: '○', dropped: '✕' } as const;
const WORDS = {
  entered: 'entered',
  'fell-back': 'fell back',
  bypassed: 'bypassed',
  dropped: 'dropped',
} as const;
const COLUMNS: readonly (readonly [kind: string, title: string])[] = [
  ['time', 'Time'],
  ['client', 'Pod'],
  ['name', 'Name'],
  ['type', 'Type'],
  ['outcome', 'Verdict'],
  ['server', 'Answered by'],
  ['rcode', 'Answer'],
  ['ms', 'Latency'],
];

export function QueryTable(props: QueryTableProps): VNode {
  const { state, onHold, onOpen } = props;
  const onKeyDown = (event: KeyboardEvent) => moveFocus(event, state, onOpen);
  const isLeaving = ({ currentTarget, relatedTarget }: FocusEvent) =>
    !(currentTarget as Element).contains(relatedTarget as Element | null);
  return h(
    'section',
    { class: 'panel queries', 'aria-labelledby': 'queries-title' },
    h('header', {}, h('h2', { id: 'queries-title' }, 'Queries'), h(FilterBar, props), news(props)),
    h(
      'div',
      {
        id: 'rows',
        class: 'scroll',
        onMouseEnter: () => onHold('pointer', true),
        onMouseLeave: () => onHold('pointer', false),
        onScroll: ({ currentTarget }: Event) => onHold('scrolled', (currentTarget as Element).scrollTop > 4),
        onFocusIn: () => onHold('focus', true),
        onFocusOut: (event: FocusEvent) => isLeaving(event) && onHold('focus', false),
        onKeyDown,
      },
      h(
        'table',
        { 'aria-labelledby': 'queries-title' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            COLUMNS.map(([kind, title]) => h('th', { class: kind, scope: 'col', key: kind }, title)),
          ),
        ),
        h(
          'tbody',
          {},
          state.rows.flatMap((row, index) => rowsOf(row, index, props)),
        ),
      ),
      state.rows.length === 0 ? h('p', { class: 'empty' }, emptyText(state)) : null,
    ),
  );
}

function rowsOf(row: WireQuery, index: number, { state, onOpen }: QueryTableProps): readonly VNode[] {
  const { id, client, name, outcome, server, rcode } = row;
  const isOpen = state.open?.id === id;
  const cell = (kind: string, text: string, title?: string) =>
    h('td', { class: kind, title }, h('bdi', {}, text));
  const where = server === '' ? '–' : podName(server);
  const answer = rcode ?? 'no answer';
  const attributes = {
    key: id,
    id: `row-${id}`,
    tabIndex: index === 0 || isOpen ? 0 : -1,
    class: `row by-${row.asker}${isOpen ? ' open' : ''}`,
    'aria-expanded': isOpen,
    onClick: () => onOpen(isOpen ? undefined : id),
  };
  const why = row.reason === undefined ? outcomeText(row) : `${outcomeText(row)}: ${row.reason}`;
  const main = h(
    'tr',
    attributes,
    cell('time', clockText(row.atMs)),
    h(
      'td',
      { class: 'client', title: visibleText(`${client} on ${row.node}`) },
      h('bdi', { class: 'dim' }, namespaceText(client)),
      h('bdi', {}, visibleText(podName(client))),
    ),
    cell('name', visibleText(name), visibleText(name)),
    cell('type', visibleText(row.type)),
    h(
      'td',
      { class: `outcome ${outcome}`, title: visibleText(why) },
      h('span', { 'aria-hidden': 'true' }, SIGNS[outcome]),
      ` ${outcomeText(row)}`,
    ),
    cell('server', visibleText(where), visibleText(server)),
    cell(`rcode ${rcode === 'NOERROR' ? 'good' : rcode === 'NXDOMAIN' ? 'absent' : 'bad'}`, answer),
    cell(`ms${(row.ms ?? 0) >= 100 ? ' slow' : ''}`, latencyText(row.ms)),
  );
  return isOpen ? [main, stepsOf(row, state.open?.steps)] : [main];
}

function outcomeText({ outcome, served, asker }: WireQuery): string {
  if (asker !== 'pod') return 'asked on';
  return served === undefined || outcome !== 'entered' ? WORDS[outcome] : `${WORDS[outcome]} · ${served}`;
}

/** The evidence: each flow that was seen of the query, in order. */
function stepsOf(row: WireQuery, steps: readonly WireStep[] | undefined): VNode {
  const lines =
    steps === undefined
      ? h('p', { class: 'dim' }, 'Asking for its flows …')
      : steps.length === 0
        ? h('p', { class: 'dim' }, 'Its flows are not kept any more')
        : h('ol', { class: 'steps' }, steps.map(stepOf));
  const reason =
    row.reason === undefined
      ? null
      : h(
          'p',
          { class: 'why' },
          `${row.outcome === 'dropped' ? 'Thrown away' : 'Left alone'}: ${visibleText(row.reason)}`,
        );
  return h(
    'tr',
    { class: 'detail', key: `${row.id}-flows` },
    h(
      'td',
      { colSpan: COLUMNS.length },
      h('p', { class: 'full-name' }, h('bdi', {}, visibleText(row.name))),
      reason,
      lines,
    ),
  );
}

function stepOf({ time, node, point, from, to, verdict, summary }: WireStep, index: number): VNode {
  const part = (kind: string, text: string) => h('bdi', { class: kind }, visibleText(text));
  return h(
    'li',
    { key: index },
    part('at', time.slice(11, 26)),
    part('point', point),
    part('ends', `${from} → ${to}`),
    part(`verdict ${verdict.toLowerCase()}`, verdict),
    part('summary dim', `${summary} (${node})`),
  );
}

/** Always there and always as wide, so that nothing moves when it has something to say. */
function news({ state, onRelease }: QueryTableProps): VNode {
  const { waiting, holds, skipped } = state;
  const isHeld = holds.length > 0;
  const more = waiting.length + skipped;
  const text = isHeld ? `Held · ${more > 9999 ? '9999+' : more} new` : 'Live';
  const attributes = {
    class: `news ${isHeld ? 'held' : 'live'}`,
    'aria-live': 'off',
    title: isHeld ? 'Show the newest (g)' : 'New queries come in at the top; they wait while you read',
    onClick: onRelease,
  };
  return h('button', attributes, text);
}

function emptyText({ snapshot }: PageState): string {
  if (snapshot === undefined) return 'Connecting …';
  return 'No query matches. Queries come in here as they are answered.';
}

function namespaceText(client: string): string {
  const namespace = podNamespace(client);
  return namespace === '' ? '' : `${visibleText(namespace)}/`;
}

function moveFocus(event: KeyboardEvent, state: PageState, onOpen: (id: number | undefined) => void): void {
  const at = state.rows.findIndex(({ id }) => document.activeElement?.id === `row-${id}`);
  if (at < 0) return;
  const row = state.rows[at];
  if (event.key === 'Enter') onOpen(state.open?.id === row?.id ? undefined : row?.id);
  const next = nextIndex(event.key, at, state.rows.length);
  if (next === undefined) return;
  event.preventDefault();
  document.getElementById(`row-${state.rows[next]?.id}`)?.focus();
}
