/** Kernel answers as rows of `zerohop status`: what is filled, what it was good for, and who does without and why. */
import type { ShelfJson } from '../answers/answers-report.ts';
import type { AgentStatus } from '../wire.ts';

type Row = readonly [name: string, text: string];

/** So many pods are named for a reason; JSON has them all. */
const MOST_NAMED = 4;

export function answerRows({ answers, counters }: Pick<AgentStatus, 'answers' | 'counters'>): readonly Row[] {
  if (answers === undefined) return [];
  if (!answers.on) return [['Answers', 'off: the kernel answers nothing by itself']];
  const { entries, problem, shelves, pods } = answers;
  const { answered, answersMissed, answersTorn } = counters;
  const room = entries === undefined ? '' : `, ${entries} entries for each cache`;
  return [
    ['Answers', `on${room}; answered ${answered}, missed ${answersMissed}, torn ${answersTorn}`],
    ...shelves.map((shelf): Row => ['', shelfText(shelf)]),
    ...(shelves.length === 0 ? ([['', 'no cache fills a shelf']] as const) : []),
    ...(problem === undefined ? [] : ([['', problem]] as const)),
    ['', `pods with answers: ${pods.answered} of ${pods.of}`],
    ...reasons(pods.refused).map((text): Row => ['', text]),
  ];
}

function shelfText({
  number,
  seat,
  state,
  used,
  room,
  bytes,
  listeners,
  serves,
  lasting = [],
}: ShelfJson): string {
  const whose = seat === undefined ? 'its cache has left' : `seat ${seat} ${state}`;
  const use =
    used === undefined
      ? `room for ${room.small} small and ${room.large} large`
      : `${used.small} of ${room.small} small, ${used.large} of ${room.large} large places in use`;
  const heard = listeners.length === 0 ? '' : `, listens at ${listeners.map((l) => l.listener).join(' ')}`;
  const until = lasting.map((l) => `${l.frontend} (no backend: until ${new Date(l.untilMs).toISOString()})`);
  const readers = [...serves, ...until];
  const read = readers.length === 0 ? 'nobody is answered from it' : `answers for ${readers.join(' ')}`;
  return `shelf ${number}: ${whose}, ${use}, ${(bytes / 2 ** 20).toFixed(1)} MiB${heard}; ${read}`;
}

/** `2 without: REASON: shop/cart, shop/db`. */
function reasons(refused: NonNullable<AgentStatus['answers']>['pods']['refused']): readonly string[] {
  const byReason = new Map<string, string[]>();
  for (const { pod, reason } of refused) byReason.set(reason, [...(byReason.get(reason) ?? []), pod]);
  return [...byReason].map(([reason, pods]) => {
    const more = pods.length > MOST_NAMED ? ` and ${pods.length - MOST_NAMED} more` : '';
    return `${pods.length} without: ${reason}: ${pods.slice(0, MOST_NAMED).join(', ')}${more}`;
  });
}
