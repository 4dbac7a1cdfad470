/** What the keys do and what the words mean. */
import { SHORTCUTS } from './keys.ts';
import { h, useEffect, useRef, type VNode } from './view.ts';

const WORDS: readonly (readonly [string, string])[] = [
  ['● entered', 'The packet entered the cache on the node of its pod.'],
  [
    '◐ fell back',
    'A policy names the address, but the packet was left alone and went to the cluster DNS; the reason stands beside it.',
  ],
  ['○ bypassed', 'No redirect was tried: no policy, or a pod that is not permitted.'],
  ['✕ dropped', 'The kernel threw a packet of it away, and no answer was seen; its reason stands beside it.'],
  ['hit, miss', 'The cache answered by itself, or asked on first.'],
  [
    'kernel',
    'The kernel answered at the interface of the pod, from what the cache had given it: no process was asked. It counts as entered, and as a hit.',
  ],
];

export function HelpDialog({
  isOpen,
  onClose,
}: {
  readonly isOpen: boolean;
  readonly onClose: () => void;
}): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  const keys = SHORTCUTS.map(({ shown, what }) => [h('dt', {}, h('kbd', {}, shown)), h('dd', {}, what)]);
  const rows = [
    h('dt', {}, h('kbd', {}, '↑ ↓')),
    h('dd', {}, 'move among pods or queries'),
    h('dt', {}, h('kbd', {}, 'Enter')),
    h('dd', {}, 'the flows of a query'),
    h('dt', {}, h('kbd', {}, 'Esc')),
    h('dd', {}, 'close, or leave the table'),
  ];
  return h(
    'dialog',
    { ref: dialog, 'aria-labelledby': 'help-title', onClose },
    h('h2', { id: 'help-title' }, 'Keys'),
    h('dl', { class: 'key-list' }, keys, rows),
    h('h2', {}, 'Words'),
    h(
      'dl',
      {},
      WORDS.map(([word, text]) => [h('dt', {}, word), h('dd', {}, text)]),
    ),
    h('button', { onClick: onClose }, 'Close'),
  );
}
