import { describe, expect, it } from 'vitest';
import { Turns } from './turns.ts';

/** Keeps the thread busy until the turn is over. */
function use(turn: Awaited<ReturnType<Turns['take']>>): void {
  while (!turn.isOver);
}

describe('Turns', () => {
  it('let the one who needs little go ahead of any number of streams of one who takes all', async () => {
    const turns = new Turns();
    const order: string[] = [];
    let isOver = false;
    const greedy = Array.from({ length: 50 }, async () => {
      while (!isOver) {
        const turn = await turns.take('greedy');
        order.push('greedy');
        use(turn);
      }
    });
    for (let i = 0; i < 20; i++) {
      const turn = await turns.take('modest');
      order.push('modest');
      turn.end();
    }
    isOver = true;
    await Promise.all(greedy);
    const last = order.lastIndexOf('modest');
    const between = order.slice(order.indexOf('modest'), last).filter((who) => who === 'greedy').length;
    // Beside fifty others by rank of coming it would have been a thousand.
    expect(between).toBeLessThanOrEqual(40);
  });

  it('give clients that all want everything as much each, whatever they did before', async () => {
    const turns = new Turns();
    for (let i = 0; i < 10; i++) use(await turns.take('early'));
    const had = { early: 0, late: 0 };
    const want = async (client: 'early' | 'late', streams: number) => {
      await Promise.all(
        Array.from({ length: streams }, async () => {
          while (had.early + had.late < 60) {
            const turn = await turns.take(client);
            had[client]++;
            use(turn);
          }
        }),
      );
    };
    await Promise.all([want('early', 8), want('late', 1)]);
    expect(had.late).toBeGreaterThan(20);
    expect(had.early).toBeGreaterThan(10);
  });

  it('leave the thread to others between two turns', async () => {
    const turns = new Turns();
    let rounds = 0;
    const reading = (async () => {
      for (let i = 0; i < 10; i++) use(await turns.take());
    })();
    let isDone = false;
    const count = () => {
      rounds++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    await reading;
    isDone = true;
    expect(rounds).toBeGreaterThanOrEqual(9);
  });
});
