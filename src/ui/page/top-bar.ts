/** Whether what one sees is all there is: the link to the server, its link to the source, the nodes, and what was lost. */
import type { PageState } from './page-state.ts';
import { visibleText } from './text.ts';
import { h, type VNode } from './view.ts';

export function TopBar({ state }: { readonly state: PageState }): VNode {
  const { snapshot } = state;
  const link = linkOf(state);
  const source = snapshot?.source;
  const nodes = source?.nodes ?? [];
  const away = nodes.filter((node) => node.state !== 'NODE_CONNECTED');
  return h(
    'header',
    { class: 'top' },
    h('h1', {}, 'zerohop'),
    h(
      'p',
      { class: `link-state ${link.kind}`, role: 'status' },
      h('span', { class: 'dot', 'aria-hidden': 'true' }),
      link.text,
    ),
    h(
      'p',
      { class: away.length > 0 ? 'bad' : 'dim' },
      away.length > 0
        ? `${away.length} of ${nodes.length} nodes away: ${visibleText(away[0]?.name ?? '')}`
        : nodesText(nodes.length),
    ),
    h('p', { class: 'spacer' }),
    loss('lost by the source', source?.lostFlows ?? 0, 'Flows that were lost before they came here'),
    loss(
      'missed by this page',
      (source?.missedFlows ?? 0) + (snapshot?.dropped ?? 0),
      'Flows that were not read in time, and snapshots that this browser was too slow for',
    ),
    sampled(source?.oneIn ?? 1),
    h('p', { class: 'dim number flows' }, `${(source?.seenFlows ?? 0).toLocaleString('en')} flows`),
  );
}

/** Nothing lost is worth saying too: a page that shows all differs from one that does not. */
function loss(what: string, count: number, title: string): VNode {
  return h(
    'p',
    { class: count > 0 ? 'bad number' : 'dim number', title },
    `${count.toLocaleString('en')} ${what}`,
  );
}

/** Rates and shares are of all; rows are what was looked at. */
function sampled(oneIn: number): VNode | null {
  if (oneIn === 1) return null;
  const title = 'There are so many queries that one part of each second is looked at, and counted for all';
  return h('p', { class: 'sampled number', title }, `1 in ${oneIn} sampled`);
}

function linkOf({ link, snapshot }: PageState): { readonly kind: string; readonly text: string } {
  if (link === 'lost') return { kind: 'bad', text: 'zerohop ui does not answer; trying again' };
  if (link === 'locked')
    return {
      kind: 'bad',
      text: 'Open the whole address that zerohop ui printed: the key at its end is missing or old',
    };
  if (snapshot === undefined) return { kind: 'waiting', text: 'connecting' };
  const { connected, error } = snapshot.source;
  if (connected) return { kind: 'good', text: 'live' };
  return {
    kind: 'bad',
    text: error === undefined ? 'waiting for the source' : `source lost: ${visibleText(error)}`,
  };
}

function nodesText(count: number): string {
  return count === 1 ? '1 node' : `${count} nodes`;
}
