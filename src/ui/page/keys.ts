/** What the keys do, in one table: the page acts by it, shows it at its foot and in its help. */
export interface Shortcut {
  readonly key: string;
  readonly shown: string;
  readonly what: string;
  /** At the foot of the page too. */
  readonly often?: true;
}

export const SHORTCUTS: readonly Shortcut[] = [
  { key: '/', shown: '/', what: 'filter by name', often: true },
  { key: 'p', shown: 'p', what: 'choose a pod', often: true },
  { key: 't', shown: 't', what: 'go to the queries', often: true },
  { key: 'b', shown: 'b', what: 'only what missed the cache', often: true },
  { key: 's', shown: 's', what: 'only slow ones' },
  { key: ' ', shown: 'Space', what: 'hold or go on', often: true },
  { key: 'g', shown: 'g', what: 'newest', often: true },
  { key: 'x', shown: 'x', what: 'clear filters' },
  { key: 'a', shown: 'a', what: 'all pods' },
  { key: 'd', shown: 'd', what: 'run the doctor', often: true },
  { key: '?', shown: '?', what: 'help', often: true },
];

/** The key of a shortcut, or nothing when the person is writing or the browser is meant. */
export function shortcutOf(event: KeyboardEvent): string | undefined {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const { target } = event;
  const isWriting =
    target instanceof HTMLInputElement ? target.type !== 'checkbox' : target instanceof HTMLSelectElement;
  if (isWriting) return undefined;
  if (event.key === ' ' && (target instanceof HTMLButtonElement || target instanceof HTMLInputElement))
    return undefined;
  return SHORTCUTS.find(({ key }) => key === event.key)?.key;
}
