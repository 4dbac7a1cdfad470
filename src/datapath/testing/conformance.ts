/**
 * What every datapath must do, whoever carries the packets. Run by the tests of each implementation; a test file only
 * says how to open one and which addresses exist.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Ip, parseIp } from '../../net/ip.ts';
import { type Port, type Protocol, parsePort } from '../../net/port.ts';
import type { Frontend } from '../../policy/table.ts';
import type { Datapath, DatapathSpec, FrontendRow } from '../datapath.ts';
import { describeAnswers } from './answer-conformance.ts';

export interface DatapathWorld {
  /** Opens what the last one left; nothing, for the first of a test. `answerEntries`: as of `DatapathOptions`. */
  open(answerEntries?: number): Datapath;
  /** Removes everything, so that the next test starts from nothing. */
  reset(): void;
  /** Addresses of two pods on this node. */
  readonly present: readonly [string, string];
  /** An address that no interface leads to. */
  readonly absent: string;
}

export function toIp(text: string): Ip {
  const ip = parseIp(text);
  if (ip === undefined) throw new Error(`Not an address: ${text}`);
  return ip;
}

export function toPortOrThrow(text: string): Port {
  const port = parsePort(text);
  if (port === undefined) throw new Error(`Not a port: ${text}`);
  return port;
}

export const DNS_PORT = toPortOrThrow('53');

export function redirectedFrontend(vip: string, protocol: Protocol, backends: readonly string[]): Frontend {
  return {
    address: toIp(vip),
    port: DNS_PORT,
    protocol,
    type: 'LocalRedirect',
    service: 'kube-system/kube-dns',
    policy: 'kube-system/nodelocaldns',
    backends: backends.map((address) => ({
      address: toIp(address),
      port: DNS_PORT,
      protocol,
      state: 'active',
    })),
  };
}

function specOf(frontends: readonly Frontend[], mayPrune = true): DatapathSpec {
  return { frontends, pods: [], mayPrune };
}

function onlyRow(datapath: Datapath): FrontendRow {
  const [row, ...others] = datapath.frontends();
  if (row === undefined || others.length > 0) throw new Error(`Expected one row, found ${others.length + 1}`);
  return row;
}

const VIP = '10.96.0.10';

export function describeDatapath(name: string, makeWorld: () => DatapathWorld): void {
  describe(`${name} as a datapath`, () => {
    let world: DatapathWorld;
    let datapath: Datapath;

    beforeEach(() => {
      world = makeWorld();
      world.reset();
      datapath = world.open();
    });

    afterEach(() => {
      datapath.close();
      world.reset();
    });

    test('a redirected frontend becomes a row with an id, done', async () => {
      const frontend = redirectedFrontend(VIP, 'UDP', [world.present[0]]);
      await datapath.apply(specOf([frontend]));
      const row = onlyRow(datapath);
      expect(row.frontend).toEqual(frontend);
      expect(row.id).toBeGreaterThan(0);
      expect(row.status).toMatchObject({ state: 'done', attempts: 1 });
    });

    test('UDP and TCP of one address are two frontends', async () => {
      const pair = (['UDP', 'TCP'] as const).map((word) => redirectedFrontend(VIP, word, [world.present[0]]));
      await datapath.apply(specOf(pair));
      expect(new Set(datapath.frontends().map((row) => row.id)).size).toBe(2);
    });

    test('applying the same again changes no row', async () => {
      const spec = specOf([redirectedFrontend(VIP, 'UDP', [world.present[0]])]);
      await datapath.apply(spec);
      const before = onlyRow(datapath);
      await datapath.apply(spec);
      expect(onlyRow(datapath)).toEqual(before);
    });

    test('a frontend keeps its id when its backends change', async () => {
      await datapath.apply(specOf([redirectedFrontend(VIP, 'UDP', [world.present[0]])]));
      const { id } = onlyRow(datapath);
      await datapath.apply(specOf([redirectedFrontend(VIP, 'UDP', [...world.present])]));
      await datapath.apply(specOf([redirectedFrontend(VIP, 'UDP', [world.present[1]])]));
      expect(onlyRow(datapath)).toMatchObject({ id, status: { state: 'done' } });
    });

    test('a dump tells what the kernel holds: frontends by id, and their backends in the order of slots', async () => {
      const frontend = redirectedFrontend(VIP, 'UDP', [...world.present]);
      await datapath.apply(specOf([frontend]));
      const { id } = onlyRow(datapath);
      const [dumped, ...others] = datapath.dump();
      expect(others).toEqual([]);
      expect(dumped).toMatchObject({ address: frontend.address, port: DNS_PORT, protocol: 'UDP', id });
      const backends = dumped?.slots.map(({ backend }) => backend?.address);
      expect(backends?.toSorted()).toEqual(frontend.backends.map(({ address }) => address).toSorted());
      await datapath.apply(specOf([]));
      expect(datapath.dump()).toEqual([]);
    });

    test('ids survive closing and opening, and nothing is pruned before the sources have listed', async () => {
      const frontend = redirectedFrontend(VIP, 'UDP', [world.present[0]]);
      const other = redirectedFrontend('10.96.0.11', 'UDP', [world.present[0]]);
      await datapath.apply(specOf([other, frontend]));
      const ids = datapath.frontends().map((row) => row.id);
      datapath.close();
      datapath = world.open();
      await datapath.apply(specOf([], false));
      expect(datapath.frontends()).toEqual([]);
      await datapath.apply(specOf([other, frontend]));
      expect(datapath.frontends().map((row) => row.id)).toEqual(ids);
    });

    test('what an earlier one left is shown until it is taken over or pruned', async () => {
      const frontend = redirectedFrontend(VIP, 'UDP', [world.present[0]]);
      const other = redirectedFrontend('10.96.0.11', 'UDP', [world.present[0]]);
      await datapath.apply(specOf([other, frontend]));
      const ids = datapath.frontends().map((row) => row.id);
      expect(datapath.inherited()).toEqual([]);
      datapath.close();
      datapath = world.open();
      expect(datapath.inherited().map((row) => row.id)).toEqual(ids);
      await datapath.apply(specOf([frontend], false));
      expect(datapath.inherited()).toMatchObject([
        {
          id: ids[0],
          frontend: {
            address: '10.96.0.11',
            type: 'LocalRedirect',
            backends: [{ address: world.present[0] }],
          },
          status: { state: 'done' },
        },
      ]);
      await datapath.apply(specOf([frontend]));
      expect(datapath.inherited()).toEqual([]);
    });

    test('a pruned frontend comes back under another id', async () => {
      const frontend = redirectedFrontend(VIP, 'UDP', [world.present[0]]);
      await datapath.apply(specOf([frontend]));
      const { id } = onlyRow(datapath);
      await datapath.apply(specOf([]));
      expect(datapath.frontends()).toEqual([]);
      await datapath.apply(specOf([frontend]));
      expect(onlyRow(datapath).id).not.toBe(id);
    });

    test('a backend that is not on this node is an error on the row, which goes when the backend does', async () => {
      await datapath.apply(specOf([redirectedFrontend(VIP, 'UDP', [world.absent])]));
      const failed = onlyRow(datapath).status;
      expect(failed).toMatchObject({ state: 'error', attempts: 1 });
      expect(failed.error).toContain(`Cannot find the interface of ${world.absent}`);
      await datapath.apply(specOf([redirectedFrontend(VIP, 'UDP', [world.absent])]));
      expect(onlyRow(datapath).status).toMatchObject({
        state: 'error',
        attempts: 2,
        sinceMs: failed.sinceMs,
      });
      await datapath.apply(specOf([redirectedFrontend(VIP, 'UDP', [world.present[0]])]));
      expect(onlyRow(datapath).status).toMatchObject({ state: 'done' });
    });

    test('frontends of ordinary services and frontends without backends are not ours', async () => {
      const ordinary: Frontend = { ...redirectedFrontend(VIP, 'UDP', [world.present[0]]), type: 'ClusterIP' };
      await datapath.apply(specOf([ordinary, redirectedFrontend(VIP, 'TCP', [])]));
      expect(datapath.frontends()).toEqual([]);
    });

    test('each pod has a row with its interface, and a pod that has none says so', async () => {
      const pods = [
        { pod: 'default/here', addresses: [toIp(world.present[0])] },
        { pod: 'default/lost', addresses: [toIp(world.absent)] },
        { pod: 'default/pending', addresses: [] },
      ];
      await datapath.apply({ frontends: [], pods, mayPrune: true });
      const [here, lost, ...others] = datapath.interfaces();
      expect(here).toMatchObject({ pod: 'default/here', status: { state: 'done' } });
      expect(here?.ifindex).toBeGreaterThan(0);
      expect(here?.ifname).not.toBe('');
      expect(lost).toMatchObject({ pod: 'default/lost', status: { state: 'error' } });
      expect(others).toEqual([]);
    });

    test('takes answers from a pod before a write that is going on has ended, and gives none from an older spec', async () => {
      const names = ['default/here', 'default/there'];
      const answering = (...answers: readonly boolean[]): DatapathSpec => ({
        ...{ frontends: [], mayPrune: true },
        pods: names.map((pod, i) => ({
          ...{ pod, addresses: [toIp(world.present[i] ?? world.absent)] },
          answers: answers[i] ?? false,
        })),
      });
      const answered = () => datapath.interfaces().flatMap(({ pod, answers }) => (answers ? [pod] : []));
      await datapath.apply(answering(true));
      expect(answered()).toEqual(['default/here']);
      const writes = [datapath.apply(answering(true, true)), datapath.apply(answering(false, true))];
      expect(answered()).not.toContain('default/here');
      await Promise.all(writes);
      expect(answered()).toEqual(['default/there']);
      const last = datapath.apply(answering(false));
      expect(answered()).toEqual([]);
      await last;
      await datapath.apply(answering(true, true));
      expect(answered()).toEqual(names);
    });

    describe('health', () => {
      const place = () => ({ address: toIp(world.present[0]), port: DNS_PORT });
      const pair = () =>
        (['UDP', 'TCP'] as const).map((protocol) => redirectedFrontend(VIP, protocol, [world.present[0]]));

      test('is one row for both protocols of a backend, and what was said last stands there', async () => {
        await datapath.apply(specOf(pair()));
        expect(datapath.health()).toEqual([place()]);
        for (const row of [{ ...place(), seat: 3 }, { ...place(), seat: 3, down: 'timeout' }, place()]) {
          datapath.setHealth(row);
          datapath.setHealth(row);
          expect(datapath.health()).toEqual([row]);
        }
      });

      test('outlives the process that said it, before any spec', async () => {
        await datapath.apply(specOf(pair()));
        datapath.setHealth({ ...place(), seat: 5, down: 'timeout' });
        datapath.close();
        datapath = world.open();
        expect(datapath.health()).toMatchObject([{ ...place(), seat: 5, down: expect.any(String) }]);
      });

      test('may be told of before the backend is there', async () => {
        datapath.setHealth({ ...place(), seat: 5 });
        await datapath.apply(specOf(pair()));
        expect(datapath.health()).toEqual([{ ...place(), seat: 5 }]);
      });

      test('goes with the backend, but for a process that still has its seat', async () => {
        await datapath.apply(specOf(pair()));
        await datapath.apply(specOf([]));
        expect(datapath.health()).toEqual([]);
        await datapath.apply(specOf(pair()));
        datapath.setHealth({ ...place(), seat: 5 });
        await datapath.apply(specOf([]));
        expect(datapath.health()).toEqual([{ ...place(), seat: 5 }]);
      });
    });

    describeAnswers({
      world: () => world,
      datapath: () => datapath,
      reopen(answerEntries) {
        datapath.close();
        datapath = world.open(answerEntries);
        return datapath;
      },
    });

    test('backends that are gone are told of, each once, and not those that only lost a frontend', async () => {
      const told: string[] = [];
      datapath.onBackendsGone((gone) =>
        told.push(...gone.map(({ address, port, protocol }) => `${address} ${port} ${protocol}`)),
      );
      const first = redirectedFrontend(VIP, 'UDP', [...world.present]);
      const second = redirectedFrontend('10.96.0.11', 'UDP', [world.present[0]]);
      await datapath.apply(specOf([first, second]));
      await datapath.apply(specOf([second]));
      expect(told).toEqual([`${world.present[1]} 53 UDP`]);
      await datapath.apply(specOf([second], false));
      await datapath.apply(specOf([], false));
      expect(told).toHaveLength(1);
      await datapath.apply(specOf([]));
      expect(told.slice(1)).toEqual([`${world.present[0]} 53 UDP`]);
    });

    test('beats have a row for every seat', () => {
      expect(datapath.beats).toMatchObject({ seats: 256, beatBytes: 64 });
      expect(datapath.programCosts().every(({ runs }) => runs >= 0n)).toBe(true);
    });

    test('counters of a datapath without packets are zero', () => {
      const { fellBack, spoofed = 0n, ...others } = datapath.counters();
      const reasons = Object.values(fellBack);
      expect([reasons.length, Object.keys(others).length]).toEqual([9, 6]);
      expect(new Set([spoofed, ...Object.values(others), ...reasons])).toEqual(new Set([0n]));
    });

    test('counters can still be read after close', () => {
      const before = datapath.counters();
      datapath.close();
      expect(datapath.counters()).toEqual(before);
    });

    test('after close nothing changes any more, and closing twice is nothing', async () => {
      datapath.close();
      datapath.close();
      await datapath.apply(specOf([redirectedFrontend(VIP, 'UDP', [world.present[0]])]));
      expect(datapath.frontends()).toEqual([]);
    });

    test('after remove a new one starts from nothing', async () => {
      const frontend = redirectedFrontend(VIP, 'UDP', [world.present[0]]);
      await datapath.apply(specOf([redirectedFrontend('10.96.0.11', 'UDP', [world.present[0]]), frontend]));
      datapath.remove();
      datapath = world.open();
      await datapath.apply(specOf([frontend]));
      expect(onlyRow(datapath).id).toBe(1);
    });
  });
}
