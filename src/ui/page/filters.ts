/** What the page is set to show, as words of its address: a view can be kept, sent and opened again. */
export interface Filters {
  readonly ns: string;
  readonly pod: string;
  readonly name: string;
  readonly rcode: string;
  readonly verdict: string;
  readonly slow: string;
  readonly bypassed: boolean;
  readonly servers: boolean;
}

export interface Choice {
  /** The pod whose way is drawn; empty: all. */
  readonly show: string;
  readonly filters: Filters;
}

export const NO_FILTERS: Filters = {
  ns: '',
  pod: '',
  name: '',
  rcode: '',
  verdict: '',
  slow: '',
  bypassed: false,
  servers: false,
};

const TEXTS = ['ns', 'pod', 'name', 'rcode', 'verdict', 'slow'] as const;
const SWITCHES = ['bypassed', 'servers'] as const;

export function parseChoice(query: string): Choice {
  const words = new URLSearchParams(query);
  const texts = TEXTS.map((key) => [key, words.get(key) ?? '']);
  const switches = SWITCHES.map((key) => [key, words.get(key) === '1']);
  const filters: Filters = { ...NO_FILTERS, ...Object.fromEntries([...texts, ...switches]) };
  return { show: words.get('show') ?? '', filters };
}

export function formatChoice({ show, filters }: Choice): string {
  const words = new URLSearchParams();
  if (show !== '') words.set('show', show);
  for (const key of TEXTS) if (filters[key] !== '') words.set(key, filters[key]);
  for (const key of SWITCHES) if (filters[key]) words.set(key, '1');
  return words.toString();
}

export function isFiltered(filters: Filters): boolean {
  return formatChoice({ show: '', filters }) !== '';
}
