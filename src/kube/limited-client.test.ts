import { describe, expect, it } from 'vitest';
import { createKubeClient, type KubeClient } from './client.ts';
import { type ClientLimits, limitClient } from './limited-client.ts';
import { observeClient, type RequestReport } from './observed-client.ts';
import { createManualClock } from './testing/manual-clock.ts';

/** A client of which only `get` is asked; each answer comes when the test says so. */
function setUp(limits: ClientLimits) {
  const clock = createManualClock();
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  const waits: number[] = [];
  const nowhere = createKubeClient({ server: 'http://127.0.0.1:1' });
  const client: KubeClient = {
    ...nowhere,
    async get(path) {
      asked.push(path);
      await new Promise<void>((resolve) => answers.push(resolve));
    },
  };
  const limited = limitClient(client, { limits, clock, onWait: (_verb, seconds) => waits.push(seconds) });
  const turns = async () => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  return { clock, asked, answers, waits, limited, turns };
}

describe('limitClient', () => {
  it('lets a burst through and then one request for each token', async () => {
    const { clock, asked, limited, turns, waits } = setUp({ perSecond: 2, burst: 3 });
    for (const path of ['a', 'b', 'c', 'd', 'e']) void limited.get(path);
    await turns();
    expect(asked).toEqual(['a', 'b', 'c']);
    clock.advance(500);
    await turns();
    expect(asked).toEqual(['a', 'b', 'c', 'd']);
    clock.advance(500);
    await turns();
    expect(asked).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(waits).toEqual([0, 0, 0, 0.5, 1]);
  });

  it('takes the usual rate when only a burst is given', async () => {
    const { clock, asked, limited, turns } = setUp({ burst: 1 });
    for (const path of ['a', 'b']) void limited.get(path);
    await turns();
    expect(asked).toEqual(['a']);
    clock.advance(200);
    await turns();
    expect(asked).toEqual(['a', 'b']);
  });

  it('has no more requests without an answer than allowed', async () => {
    const { asked, answers, limited, turns } = setUp({ inFlight: 2 });
    for (const path of ['a', 'b', 'c']) void limited.get(path);
    await turns();
    expect(asked).toEqual(['a', 'b']);
    answers[0]?.();
    await turns();
    expect(asked).toEqual(['a', 'b', 'c']);
  });

  it('holds nothing back without limits, or with limits of 0', async () => {
    const { asked, limited, turns } = setUp({ perSecond: 0, inFlight: 0 });
    for (let i = 0; i < 50; i++) void limited.get(String(i));
    await turns();
    expect(asked).toHaveLength(50);
  });
});

describe('observeClient', () => {
  it('tells of a request that got no answer', async () => {
    const reports: RequestReport[] = [];
    const client = createKubeClient({ server: 'http://127.0.0.1:1' });
    const observed = observeClient(client, {
      clock: createManualClock(),
      report: (one) => reports.push(one),
    });
    await expect(observed.get('/api')).rejects.toMatchObject({ code: 'KUBE_UNREACHABLE' });
    expect(reports).toEqual([{ method: 'GET', code: '<error>', seconds: 0 }]);
    client.close();
  });
});
