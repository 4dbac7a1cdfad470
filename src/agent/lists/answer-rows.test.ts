/** What an operator reads of kernel answers in `zerohop status`. */
import { describe, expect, it } from 'vitest';
import { createFakeKernel, openFakeDatapath } from '../../datapath/fake-datapath.ts';
import { redirectedFrontend, toIp } from '../../datapath/testing/conformance.ts';
import { VirtualClock } from '../../telemetry/virtual-clock.ts';
import { answeredPods } from '../answers/answers-report.ts';
import type { AgentStatus } from '../wire.ts';
import { answerRows } from './answer-rows.ts';

type Answers = NonNullable<AgentStatus['answers']>;

const counters: AgentStatus['counters'] = {
  ...{ redirected: '0', restored: '0', fellBack: {} as AgentStatus['counters']['fellBack'], eventsLost: '0' },
  ...{ answered: '90', answersMissed: '10', answersTorn: '1' },
};
const pods = { answered: 2, of: 2, refused: [] };
const texts = (answers: Answers | undefined) =>
  answerRows({ counters, ...(answers && { answers }) }).map(([name, text]) => `${name}|${text}`);

describe('answerRows', () => {
  it('says whether they are on', () => {
    expect(texts(undefined)).toEqual([]);
    expect(texts({ on: false, shelves: [], pods })).toEqual([
      'Answers|off: the kernel answers nothing by itself',
    ]);
    expect(texts({ on: true, entries: 1000, shelves: [], pods })).toEqual([
      'Answers|on, 1000 entries for each cache; answered 90, missed 10, torn 1',
      '|no cache fills a shelf',
      '|pods with answers: 2 of 2',
    ]);
  });

  it('says of each shelf whose it is, how full, and for whom', () => {
    const shelf = {
      number: 1,
      room: { small: 1000, large: 125 },
      bytes: 3 * 2 ** 20,
      listeners: [],
      serves: [],
    };
    const listeners = [{ listener: '*:53', view: 1 }];
    const used = { small: 12, large: 3 };
    const full = { ...shelf, seat: 4, state: 'beating' as const, used, listeners, serves: ['172.20.1.9:53'] };
    const rows = texts({ on: true, shelves: [full, { ...shelf, number: 2, state: 'left' }], pods });
    expect(rows.slice(1, 3)).toEqual([
      '|shelf 1: seat 4 beating, 12 of 1000 small, 3 of 125 large places in use, 3.0 MiB, listens at *:53; answers for 172.20.1.9:53',
      '|shelf 2: its cache has left, room for 1000 small and 125 large, 3.0 MiB; nobody is answered from it',
    ]);
  });

  it('says why pods do without, those alike together', () => {
    const refused = ['a/1', 'a/2', 'a/3', 'a/4', 'a/5', 'b/1'].map((pod) => ({
      pod: pod as Answers['pods']['refused'][number]['pod'],
      reason: pod.startsWith('a/') ? 'a policy' : 'a no',
    }));
    const problem = 'there is no more';
    expect(texts({ on: true, problem, shelves: [], pods: { answered: 1, of: 7, refused } }).slice(2)).toEqual(
      [
        '|there is no more',
        '|pods with answers: 1 of 7',
        '|5 without: a policy: a/1, a/2, a/3, a/4 and 1 more',
        '|1 without: a no: b/1',
      ],
    );
  });
});

describe('answeredPods', () => {
  it('says of each pod once whether it has answers, and in whose words why not', async () => {
    const kernel = createFakeKernel();
    const addresses = ['172.20.1.5', '172.20.1.6', '172.20.1.7', '172.20.1.8', '172.20.1.9'];
    for (const [i, address] of addresses.entries())
      if (i !== 3) kernel.interfaces.set(toIp(address), { ifindex: i + 2, ifname: `veth${i}` });
    const datapath = openFakeDatapath({ kernel, clock: new VirtualClock(), answerEntries: 1000 });
    const pod = (name: string, i: number, more = {}) => ({
      ...{ pod: `default/${name}` as const, addresses: [toIp(addresses[i] ?? '')], answers: true },
      ...more,
    });
    await datapath.apply({
      frontends: [redirectedFrontend('10.96.0.10', 'UDP', ['172.20.1.9'])],
      pods: [
        pod('answered', 0),
        pod('refused', 1, { answers: false }),
        pod('seen', 2, { observeOnly: true }),
        pod('new', 3),
        pod('cache', 4),
      ],
      mayPrune: true,
    });
    const refusals = new Map([['default/refused' as const, 'a policy closes it']]);
    const found = answeredPods({ datapath, refusals, addressesOf: () => [] });
    expect(found).toMatchObject({ answered: 1, of: 5 });
    expect(Object.fromEntries(found.refused.map(({ pod: key, reason }) => [key, reason]))).toEqual({
      'default/refused': 'a policy closes it',
      'default/seen': 'it is not redirected',
      'default/new': 'its interface has no program yet',
      'default/cache': 'queries are redirected to it',
    });
    datapath.close();
  });

  it('knows a server by any of its addresses', async () => {
    const kernel = createFakeKernel();
    const [first, second] = [toIp('fd00::9'), toIp('172.20.1.9')];
    for (const address of [first, second]) kernel.interfaces.set(address, { ifindex: 2, ifname: 'veth0' });
    const datapath = openFakeDatapath({ kernel, clock: new VirtualClock(), answerEntries: 1000 });
    const server = { pod: 'default/cache' as const, addresses: [first, second], answers: true };
    await datapath.apply({
      frontends: [redirectedFrontend('10.96.0.10', 'UDP', [second])],
      ...{ pods: [server], mayPrune: true },
    });
    const addressesOf = (pod: string) => (pod === server.pod ? server.addresses : []);
    expect(answeredPods({ datapath, refusals: new Map(), addressesOf })).toEqual({
      ...{ answered: 0, of: 1 },
      refused: [{ pod: 'default/cache', reason: 'queries are redirected to it' }],
    });
    datapath.close();
  });
});
