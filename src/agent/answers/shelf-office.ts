/**
 * Which cache has which shelf of the answer map: its own, found again by its number, or a new one. A shelf belongs to one
 * connection. Nobody gets one that another process may be writing: a number is believed only of a cache that serves where
 * the shelf is read. What cannot be given is said once; a cache does without, as its queries do.
 */
import { ANSWER_LAYOUT, MAX_SHELVES } from '../../answermap/answer-abi.gen.ts';
import type { AnswerShelf, AnswerSource, Datapath } from '../../datapath/datapath.ts';
import { errorText } from '../../fault/app-error.ts';
import type { Hello } from '../../heartbeat/messages.ts';
import type { Log } from '../../telemetry/log.ts';
import type { AgentErrorCode } from '../errors.ts';
import type { Place } from '../health/health-rows.ts';

/** Which of the two it is, the datapath has said. */
const NO_SHELF = `${MAX_SHELVES - 1} caches have a part of the answer map, or the kernel has no memory for another`;

export interface ShelfOfficeOptions {
  readonly datapath: Pick<Datapath, 'openShelf' | 'shelf' | 'frontends' | 'inherited'>;
  readonly log: Pick<Log, 'info' | 'warning'>;
  /** Shelves of those who are connected, and those that are read where nobody serves any more. */
  readonly taken: () => readonly number[];
  /** Whose answers are given where, as of now. */
  readonly sources: () => readonly AnswerSource[];
}

export class ShelfOffice {
  readonly #options: ShelfOfficeOptions;
  /** Each of them once until something else has been said. */
  readonly #said = new Set<string>();
  #problem: string | undefined;

  constructor(options: ShelfOfficeOptions) {
    this.#options = options;
  }

  /** Why the last one that was asked for could not be given; absent when it could. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** `held` is what the connection has already. Undefined: it does without. */
  grant(hello: Hello, held: number | undefined): AnswerShelf | undefined {
    const wish = hello.answers;
    if (wish === undefined) return undefined;
    if (wish.layout !== ANSWER_LAYOUT) {
      this.#say('layout', `a cache fills another layout of the answer map than ${ANSWER_LAYOUT}`);
      return undefined;
    }
    const kept = held === undefined ? undefined : this.#options.datapath.shelf(held);
    return kept ?? this.#named(hello, wish.shelf) ?? this.#open();
  }

  #named(hello: Hello, number: number | undefined): AnswerShelf | undefined {
    const { datapath, taken } = this.#options;
    if (number === undefined || taken().includes(number)) return undefined;
    const readers = this.#readersOf(number);
    const isItsOwn =
      readers.length === 0 ||
      readers.some(({ address, port }) => hello.addresses.includes(address) && hello.ports.includes(port));
    return isItsOwn ? datapath.shelf(number) : undefined;
  }

  /** What the agent before left says which frontends read it, and not for which of their backends. */
  #readersOf(number: number): readonly Place[] {
    const { datapath, sources } = this.#options;
    const read = sources().filter(({ from }) => from?.shelf === number);
    const isRead = (place: Place) =>
      read.some(({ address, port }) => address === place.address && port === place.port);
    const groups = [...datapath.frontends(), ...datapath.inherited()].map(
      ({ frontend }) => frontend.backends,
    );
    return [...read, ...groups.filter((backends) => backends.some(isRead)).flat()];
  }

  #open(): AnswerShelf | undefined {
    try {
      const shelf = this.#options.datapath.openShelf();
      if (shelf === undefined) this.#fail(NO_SHELF);
      else {
        this.#said.clear();
        this.#problem = undefined;
      }
      return shelf;
    } catch (error) {
      this.#fail(errorText(error));
      return undefined;
    }
  }

  #fail(reason: string): void {
    this.#problem = reason;
    const code: AgentErrorCode = 'AGENT_ANSWERS_UNAVAILABLE';
    this.#say(reason, `the kernel answers nothing for a cache: ${reason} (${code})`);
  }

  #say(what: string, text: string): void {
    if (this.#said.has(what)) return;
    // An error's words may vary without end.
    if (this.#said.size >= 8) this.#said.clear();
    this.#said.add(what);
    this.#options.log.warning(text);
  }
}
