/** What `zerohop status` has of kernel answers, as JSON. */
import type { ObjectKey } from '../../cluster/rows.ts';
import type { AnswerShelf, AnswerSource, Datapath, InterfaceRow } from '../../datapath/datapath.ts';
import type { Ip } from '../../net/ip.ts';
import { formatAddressPort } from '../../net/port.ts';
import type { CacheRow } from '../health/cache-desk.ts';
import { ShelfReader, type ShelfUse, shelfBytes } from './shelf-reader.ts';

export interface ShelfJson {
  readonly number: number;
  /** Of the cache that fills it; absent: it has ended, or has not come back yet. */
  readonly seat?: number;
  /** `late`: it has begun to beat, and has not for longer than packets wait for. */
  readonly state: CacheRow['state'] | 'late' | 'left';
  /** Places in use, by expired entries too; absent where there is no kernel, or the memory cannot be read. */
  readonly used?: ShelfUse;
  readonly room: ShelfUse;
  /** Of kernel memory. */
  readonly bytes: number;
  /** Sockets of the process, `*:53` for all its addresses; of one that has left, those that are known still. */
  readonly listeners: readonly { readonly listener: string; readonly view: number }[];
  /** Where queries get its answers: `172.20.1.9:53`. */
  readonly serves: readonly string[];
  /** Frontends without a backend that are still answered from it. */
  readonly lasting?: readonly LastingJson[];
}

export interface LastingJson {
  /** `10.96.0.10:53`. */
  readonly frontend: string;
  /** Milliseconds since the epoch at which that ends, should no backend come before. */
  readonly untilMs: number;
}

export interface AnswersReport {
  /** False: the kernel answers nothing. */
  readonly on: boolean;
  /** What each cache has room for. */
  readonly entries?: number;
  /** Why a cache has no shelf. */
  readonly problem?: string;
  readonly shelves: readonly ShelfJson[];
}

/** Pods whose cached names are answered by the kernel, and why others' are not. */
export interface AnsweredPods {
  readonly answered: number;
  readonly of: number;
  readonly refused: readonly { readonly pod: ObjectKey; readonly reason: string }[];
}

export function shelfJson(
  shelf: AnswerShelf,
  {
    cache,
    listeners,
    sources,
    lasting,
  }: {
    cache?: CacheRow;
    listeners: Listeners;
    sources: readonly AnswerSource[];
    lasting: readonly LastingJson[];
  },
): ShelfJson {
  const used = usedOf(shelf);
  const serves = sources.filter(({ from }) => from?.shelf === shelf.number);
  return {
    number: shelf.number,
    ...(cache && { seat: cache.seat }),
    state: stateOf(cache),
    ...(used && { used }),
    room: { small: shelf.smallSlots, large: shelf.largeSlots },
    bytes: shelfBytes(shelf),
    listeners: [...listeners].map(([view, listener]) => ({ listener, view })),
    serves: serves.map(({ address, port }) => formatAddressPort(address, port)),
    ...(lasting.length > 0 && { lasting }),
  };
}

function stateOf(cache: CacheRow | undefined): ShelfJson['state'] {
  if (cache === undefined) return 'left';
  return cache.state === 'beating' && cache.isLate ? 'late' : cache.state;
}

export interface PodsAsked {
  readonly datapath: Pick<Datapath, 'interfaces' | 'frontends'>;
  /** Why pods may not be answered, in words, by their keys. */
  readonly refusals: ReadonlyMap<ObjectKey, string>;
  /** All of a pod's; none where it is not known any more. Rows of interfaces have the first alone. */
  readonly addressesOf: (pod: ObjectKey) => readonly Ip[];
}

export function answersStatus(
  report: AnswersReport,
  asked: PodsAsked,
): AnswersReport & { readonly pods: AnsweredPods } {
  const pods = answeredPods(asked);
  // Nobody is refused what nobody has.
  return { ...report, pods: report.on ? pods : { ...pods, refused: [] } };
}

/** Texts of listeners by their views. */
export type Listeners = ReadonlyMap<number, string>;

export function listenersOf({ hello }: CacheRow): Listeners {
  return new Map(
    (hello.answers?.listeners ?? []).map(({ address, port, view }) => [
      view,
      address === undefined ? `*:${port}` : formatAddressPort(address, port),
    ]),
  );
}

/** A pod with several interfaces or addresses counts once, and as answered only if all are. */
export function answeredPods({ datapath, refusals, addressesOf }: PodsAsked): AnsweredPods {
  const backends = new Set<string>(
    datapath.frontends().flatMap(({ frontend }) => frontend.backends.map(({ address }) => address)),
  );
  const reasons = new Map<ObjectKey, string | undefined>();
  for (const row of datapath.interfaces()) {
    const serves = [row.address, ...addressesOf(row.pod)].some((address) => backends.has(address));
    const reason = row.answers ? undefined : (refusals.get(row.pod) ?? whyNot(row, serves));
    reasons.set(row.pod, reasons.get(row.pod) ?? reason);
  }
  const refused = [...reasons].flatMap(([pod, reason]) => (reason === undefined ? [] : [{ pod, reason }]));
  return { answered: reasons.size - refused.length, of: reasons.size, refused };
}

function whyNot({ status, redirects }: InterfaceRow, serves: boolean): string {
  if (serves) return 'queries are redirected to it';
  if (!redirects) return 'it is not redirected';
  if (status.state !== 'done') return 'its interface has no program yet';
  return 'the datapath does not do it';
}

function usedOf(shelf: AnswerShelf): ShelfUse | undefined {
  if (shelf.fds.some((fd) => fd < 0)) return undefined;
  let memory: ShelfReader | undefined;
  try {
    memory = new ShelfReader(shelf);
    return memory.use();
  } catch {
    // To tell of; nothing but the telling is lost.
    return undefined;
  } finally {
    memory?.close();
  }
}
