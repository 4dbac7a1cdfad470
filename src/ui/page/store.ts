/** Holds the page's state and everything that talks to the server: the stream of events, the flows of a row, the doctor. */
import type { WireDoctor, WireRows, WireSnapshot, WireStep } from '../wire.ts';
import { formatChoice, parseChoice } from './filters.ts';
import { firstState, openRow, type PageState, takeRows, takeSnapshot, takeSteps } from './page-state.ts';

/** Typing makes one new stream when it pauses, not one for each letter. */
const SETTLE_MS = 200;
const RETRY_MS = 2000;

/** Behind `#` in the address that was printed; whoever does not know it is told nothing. */
const key = () => encodeURIComponent(location.hash.slice(1));

export class Store {
  #state: PageState = firstState(parseChoice(location.search));
  #events: EventSource | undefined;
  #address = '';
  #settling = 0;
  readonly #onChange: (state: PageState) => void;

  constructor(onChange: (state: PageState) => void) {
    this.#onChange = onChange;
    addEventListener('popstate', () =>
      this.update((state) => ({ ...state, choice: parseChoice(location.search) })),
    );
    // Another key was put into the address of a page that is open.
    addEventListener('hashchange', () => {
      this.#connect();
      void this.examine(false);
    });
    this.#connect();
  }

  get state(): PageState {
    return this.#state;
  }

  readonly update = (change: (state: PageState) => PageState): void => {
    const before = this.#state;
    this.#state = change(before);
    if (this.#state === before) return;
    if (this.#state.choice !== before.choice) this.#choose();
    this.#onChange(this.#state);
  };

  readonly open = async (id: number | undefined): Promise<void> => {
    this.update((state) => openRow(state, id));
    if (id === undefined) return;
    const { steps = [] } = await this.#get<{ steps?: readonly WireStep[] }>(
      `/query?id=${id}&key=${key()}`,
      {},
    );
    this.update((state) => takeSteps(state, id, steps));
  };

  readonly examine = async (isFresh: boolean): Promise<void> => {
    this.update((state) => ({ ...state, doctor: 'running' }));
    const nothing = { findings: [], pods: [], unknown: [] };
    const lost: WireDoctor = { atMs: Date.now(), ...nothing, error: 'The page has lost its server' };
    const doctor = await this.#get<WireDoctor>(`/doctor?key=${key()}${isFresh ? '&fresh=1' : ''}`, lost);
    this.update((state) => ({ ...state, doctor }));
  };

  async #get<T>(path: string, otherwise: T): Promise<T> {
    try {
      const response = await fetch(path);
      return response.ok ? await response.json() : otherwise;
    } catch {
      // The stream of events says that the server is gone.
      return otherwise;
    }
  }

  #choose(): void {
    const words = formatChoice(this.#state.choice);
    history.replaceState(null, '', `/${words === '' ? '' : `?${words}`}${location.hash}`);
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#connect(), SETTLE_MS);
  }

  #connect(): void {
    const words = formatChoice(this.#state.choice);
    const address = `/events?key=${key()}${words === '' ? '' : `&${words}`}`;
    if (address === this.#address) return;
    this.#address = address;
    this.#events?.close();
    const events = new EventSource(address);
    this.#events = events;
    events.addEventListener('snapshot', ({ data }) => {
      const snapshot: WireSnapshot = JSON.parse(data);
      this.update((state) => takeSnapshot(state, snapshot));
    });
    events.addEventListener('rows', ({ data }) => {
      const rows: WireRows = JSON.parse(data);
      this.update((state) => takeRows(state, rows));
    });
    // The browser asks again by itself, unless it was refused.
    events.addEventListener('error', () => {
      this.update((state) => ({ ...state, link: state.link === 'locked' ? 'locked' : 'lost' }));
      if (events.readyState === EventSource.CLOSED) void this.#refused();
    });
  }

  /** Told apart from a server that is gone: asking again does not help. */
  async #refused(): Promise<void> {
    this.#address = '';
    const { status = 0 } = await fetch(`/query?id=0&key=${key()}`).catch(() => ({ status: 0 }));
    this.update((state) => ({ ...state, link: status === 401 ? 'locked' : 'lost' }));
    setTimeout(() => this.#connect(), RETRY_MS);
  }
}
