/** Puts the panels together and gives each what it needs; what keys do happens here. */
import { Curves } from './curves.ts';
import { NO_FILTERS } from './filters.ts';
import { Findings } from './findings.ts';
import { HelpDialog } from './help-dialog.ts';
import { SHORTCUTS } from './keys.ts';
import { hold, type PageState, release, setFilters, showPod } from './page-state.ts';
import { PodList } from './pod-list.ts';
import { QueryTable } from './query-table.ts';
import type { Store } from './store.ts';
import { TopBar } from './top-bar.ts';
import { TopNames } from './top-names.ts';
import { h, type VNode } from './view.ts';
import { Way } from './way.ts';

export function Page({ state, store }: { readonly state: PageState; readonly store: Store }): VNode {
  const { snapshot, choice } = state;
  const { update } = store;
  const show = (pod: string) => update((now) => showPod(now, pod));
  const onName = (name: string) => update((now) => setFilters(now, { name }));
  return h(
    'div',
    { class: 'page' },
    h(TopBar, { state }),
    h(
      'nav',
      { class: 'left', 'aria-label': 'Pods' },
      h(PodList, { pods: snapshot?.pods ?? [], chosen: choice.show, onChoose: show }),
    ),
    h(
      'main',
      { class: 'middle' },
      h(Way, { snapshot, chosen: choice.show }),
      h(Curves, { points: state.points }),
      h(QueryTable, {
        state,
        filters: choice.filters,
        onFilter: (change) => update((now) => setFilters(now, change)),
        onClear: () => update((now) => setFilters(now, NO_FILTERS)),
        onHold: (reason, isHeld) => update((now) => hold(now, reason, isHeld)),
        onOpen: (id) => void store.open(id),
        onRelease: () => newest(store),
      }),
    ),
    h(
      'aside',
      { class: 'right', 'aria-label': 'Findings and names' },
      h(Findings, {
        doctor: state.doctor,
        hasDoctor: snapshot?.source.hasDoctor ?? true,
        onExamine: () => void store.examine(true),
        onShow: show,
      }),
      h(TopNames, { names: snapshot?.names ?? [], onName }),
    ),
    foot(store),
    h(HelpDialog, {
      isOpen: state.isHelpOpen,
      onClose: () => update((now) => ({ ...now, isHelpOpen: false })),
    }),
  );
}

export function press(key: string, store: Store): void {
  const { state, update } = store;
  const { filters } = state.choice;
  const focus = (id: string) => document.getElementById(id)?.focus();
  const acts: Readonly<Record<string, () => void>> = {
    '/': () => focus('filter-name'),
    p: () => focus('pod-list'),
    t: () => document.querySelector<HTMLElement>('#rows tr.row')?.focus(),
    b: () => update((now) => setFilters(now, { bypassed: !filters.bypassed })),
    s: () => update((now) => setFilters(now, { slow: filters.slow === '' ? '100' : '' })),
    ' ': () => update((now) => hold(now, 'hand', !now.holds.includes('hand'))),
    g: () => newest(store),
    x: () => update((now) => setFilters(now, NO_FILTERS)),
    a: () => update((now) => showPod(now, '')),
    d: () => void store.examine(true),
    '?': () => update((now) => ({ ...now, isHelpOpen: true })),
  };
  acts[key]?.();
}

function newest(store: Store): void {
  const { activeElement } = document;
  if (activeElement instanceof HTMLElement && activeElement.closest('#rows') !== null) activeElement.blur();
  document.getElementById('rows')?.scrollTo({ top: 0 });
  store.update(release);
}

function foot(store: Store): VNode {
  const keys = SHORTCUTS.filter(({ often }) => often === true).map(({ key, shown, what }) =>
    h('button', { key, tabIndex: -1, onClick: () => press(key, store) }, h('kbd', {}, shown), what),
  );
  return h('footer', { class: 'foot', 'aria-label': 'Keys' }, keys);
}
