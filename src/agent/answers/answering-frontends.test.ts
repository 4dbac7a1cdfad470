/** Names go on being answered for a minute without a backend, from the cluster's changes to the rows that the programs read. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { openFakeDatapath } from '../../datapath/fake-datapath.ts';
import { DNS_PORT } from '../../datapath/testing/conformance.ts';
import { ip, SAMPLE_CLUSTER } from '../../flow/testing/sample-cluster.ts';
import { listFrontends } from '../../policy/list-frontends.ts';
import { formatLrpList } from '../../policy/print.ts';
import { realisations, serviceRows } from '../realisation.ts';
import { POLICY } from '../testing/node-bench.ts';
import {
  ADDRESS,
  Bench,
  ELDER,
  MADE_AGAIN,
  MINUTE,
  NEXT_ADDRESS,
  network,
  policies,
  SECOND,
  TCP_ALONE,
  VIP,
} from './testing/policy-bench.ts';

let bench: Bench;
afterEach(() => bench.close());

const LASTING = { backends: 0, shelf: 1 };

describe('a frontend whose cache is being replaced', () => {
  it.each(['cache first', 'pod first', 'interface first'])(
    'is answered meanwhile, then from the new one (%s)',
    async (order) => {
      bench = await Bench.begun();
      expect(bench.met()).toEqual({ backends: 1, shelf: 1 });
      if (order === 'interface first') {
        // What the kernel is asked next, whatever for.
        bench.kernel.interfaces.delete(ip(ADDRESS));
        await bench.publish(network());
        await bench.publish({ networkPolicies: new Map() });
        await bench.pass(SECOND);
        expect(bench.met()).toEqual(LASTING);
      }
      if (order !== 'pod first') bench.leave(1);
      await bench.publish(bench.pods('none'));
      bench.leave(1);
      await bench.pass(20 * SECOND);
      expect([bench.met(), bench.shelves(), bench.clientIsAnswered()]).toEqual([LASTING, [1], true]);
      const next = bench.join(2, NEXT_ADDRESS);
      expect(bench.met()).toEqual(LASTING);
      await bench.publish(bench.pods('new'));
      expect([bench.met(), bench.shelves()]).toEqual([{ backends: 1, shelf: next.shelf }, [next.shelf]]);
      await bench.pass(2 * MINUTE);
      expect(bench.met()).toEqual({ backends: 1, shelf: next.shelf });
    },
  );

  it('is so for a minute and no longer, and then nothing is left that would wake the agent', async () => {
    bench = await Bench.begun();
    await bench.pass(SECOND);
    bench.leave(1);
    await bench.publish(bench.pods('none'));
    await bench.pass(MINUTE - 1);
    // Its own minute, and the ten of what the cache left.
    expect([bench.met(), bench.clock.pending]).toEqual([LASTING, 2]);
    await bench.pass(1);
    expect([bench.met(), bench.shelves(), bench.clock.pending]).toEqual(['nothing', [], 0]);
  });

  it('has no second minute from changes in the first', async () => {
    bench = await Bench.begun();
    await bench.pass(SECOND);
    await bench.publish(bench.pods('none'));
    await bench.pass(29 * SECOND);
    await bench.publish(bench.pods('unready'));
    await bench.pass(30 * SECOND);
    expect(bench.met()).toBe('nothing');
  });

  it('has its minute again after a backend', async () => {
    bench = await Bench.begun();
    for (let round = 0; round < 3; round++) {
      await bench.publish(bench.pods('unready'));
      await bench.pass(50 * SECOND);
      expect(bench.met()).toEqual(LASTING);
      await bench.publish(bench.pods('old'));
      await bench.pass(SECOND);
      expect(bench.met()).toEqual({ backends: 1, shelf: 1 });
    }
  });

  it('is answered on when its backend is back before its cache, and nobody else’s is', async () => {
    bench = await Bench.begun();
    for (let round = 0; round < 2; round++) {
      bench.leave(round + 1);
      await bench.publish(bench.pods('unready'));
      await bench.pass(SECOND);
      expect(bench.met()).toEqual({ backends: 0, shelf: round + 1 });
      await bench.publish(bench.pods('old'));
      await bench.pass(SECOND);
      expect(bench.met()).toEqual({ backends: 1, shelf: round + 1 });
      const next = bench.join(round + 2, ADDRESS);
      expect([bench.met(), bench.shelves()]).toEqual([{ backends: 1, shelf: next.shelf }, [next.shelf]]);
    }
  });

  it('belongs to nobody when the next server fills no shelf', async () => {
    bench = await Bench.begun();
    bench.leave(1);
    await bench.publish(bench.pods('none'));
    await bench.publish(bench.pods('new'));
    await bench.pass(SECOND);
    expect([bench.met(), bench.shelves()]).toEqual([{ backends: 1 }, []]);
  });

  it('keeps its shelf from whoever names it, and the new one at the old address has its own', async () => {
    bench = await Bench.begun();
    bench.leave(1);
    await bench.publish(bench.pods('unready'));
    const next = bench.join(2, ADDRESS);
    expect([next.shelf, bench.met(), bench.shelves()]).toEqual([2, LASTING, [1, 2]]);
    await bench.publish(bench.pods('old'));
    await bench.pass(SECOND);
    expect([bench.met(), bench.shelves()]).toEqual([{ backends: 1, shelf: 2 }, [2]]);
  });

  it.each([
    ['its policy is deleted', policies()],
    ['its policy is another object of the name', policies(MADE_AGAIN)],
    ['its policy asks for it no more', policies(TCP_ALONE)],
    ['an older policy asks for it', policies(POLICY, ELDER)],
    ['its service is deleted', { services: new Map() }],
  ])('is answered no more when %s', async (_, change) => {
    for (const isFirst of [true, false]) {
      bench?.close();
      bench = await Bench.begun();
      if (!isFirst) await bench.publish(bench.pods('none'));
      await bench.pass(SECOND);
      await bench.publish({ ...bench.pods('none'), ...change });
      await bench.pass(SECOND);
      expect(bench.met()).toBe('nothing');
      bench.leave(1);
      expect(bench.shelves()).toEqual([]);
    }
  });

  it.each([{ answers: false }, { observeOnly: true }])(
    'is not answered by an agent with %o',
    async (options) => {
      bench = await Bench.begun(options);
      await bench.publish(bench.pods('none'));
      await bench.pass(SECOND);
      expect([bench.met(), bench.loop.answering]).toEqual(['nothing', []]);
    },
  );

  it('is not redirected in any list, and the status says until when it is answered', async () => {
    bench = await Bench.begun();
    bench.leave(1);
    await bench.publish(bench.pods('none'));
    const { loop, datapath, store } = bench;
    expect(realisations(loop.table, datapath.frontends())).toMatchObject([{ state: 'none' }]);
    const listed = serviceRows(
      listFrontends(store.get(), loop.table),
      datapath.frontends(),
      datapath.inherited(),
    );
    expect(listed.filter(({ frontend }) => frontend.type === 'LocalRedirect')).toEqual([]);
    expect(formatLrpList(loop.table)).not.toContain(VIP);
    expect(bench.answers.report().shelves).toMatchObject([
      {
        number: 1,
        state: 'left',
        serves: [`${ADDRESS}:53`],
        lasting: [{ frontend: `${VIP}:53`, untilMs: bench.clock.nowMs() + MINUTE }],
      },
    ]);
    // What another agent finds is no redirect either.
    const after = openFakeDatapath({ kernel: bench.kernel, clock: bench.clock, answerEntries: 1000 });
    expect(after.inherited()).toEqual([]);
    after.close();
  });
});

describe('network policies', () => {
  const labels = { matchLabels: { 'k8s-app': 'node-local-dns' }, matchExpressions: [] };
  const namespaces = { matchLabels: {}, matchExpressions: [] };
  const toCaches = network({
    peers: [{ kind: 'pods', pods: labels, namespaces }],
    ports: [{ first: DNS_PORT, last: DNS_PORT }],
  });

  it('that open the way to the pod of the cache do so while it is away', async () => {
    bench = await Bench.begun();
    await bench.publish(toCaches);
    await bench.pass(SECOND);
    expect(bench.clientIsAnswered()).toBe(true);
    await bench.publish(bench.pods('none'));
    await bench.pass(SECOND);
    expect([bench.met(), bench.clientIsAnswered()]).toEqual([LASTING, true]);
    await bench.pass(MINUTE);
    expect(bench.clientIsAnswered()).toBe(false);
  });

  it('that close it close it meanwhile', async () => {
    bench = await Bench.begun();
    await bench.publish(bench.pods('none'));
    await bench.pass(SECOND);
    expect(bench.clientIsAnswered()).toBe(true);
    await bench.publish(network());
    await bench.pass(SECOND);
    expect([bench.met(), bench.clientIsAnswered()]).toEqual([LASTING, false]);
    await bench.publish({ networkPolicies: new Map() });
    await bench.pass(SECOND);
    expect(bench.clientIsAnswered()).toBe(true);
  });
});

/** Steps of a cluster's life; each lasts some seconds. */
const HISTORY = fc.array(
  fc.record({
    pods: fc.constantFrom('none', 'none', 'old', 'new', 'unready'),
    policy: fc.constantFrom(...[POLICY, POLICY, POLICY, POLICY, MADE_AGAIN, TCP_ALONE, undefined]),
    isServed: fc.constantFrom(true, true, true, true, false),
    seconds: fc.integer({ min: 1, max: 40 }),
  }),
  { maxLength: 12 },
);

it('any history: a frontend is redirected, answered for a minute, or nothing', async () => {
  await fc.assert(
    fc.asyncProperty(HISTORY, async (steps) => {
      bench = await Bench.begun();
      bench.join(2, NEXT_ADDRESS);
      let shelf = 1;
      let owner: string | undefined = POLICY.uid;
      let [nowMs, endsMs] = [0, Number.POSITIVE_INFINITY];
      await bench.pass(SECOND);
      for (const { pods, policy, isServed, seconds } of steps) {
        nowMs += SECOND;
        if (nowMs >= endsMs) owner = undefined;
        const services = isServed ? SAMPLE_CLUSTER.services : new Map();
        await bench.publish({ ...bench.pods(pods), ...policies(...(policy ? [policy] : [])), services });
        const asks = isServed && policy !== TCP_ALONE ? policy?.uid : undefined;
        const isRedirected = asks !== undefined && (pods === 'old' || pods === 'new');
        if (isRedirected) [owner, shelf, endsMs] = [asks, pods === 'old' ? 1 : 2, Number.POSITIVE_INFINITY];
        else if (asks !== owner) owner = undefined;
        else endsMs = Math.min(endsMs, nowMs + MINUTE);
        const lasts = () => owner !== undefined && nowMs < endsMs;
        const expected = () =>
          isRedirected ? { backends: 1, shelf } : lasts() ? { backends: 0, shelf } : 'nothing';
        // A minute that ends just then leaves the loop at rest: the change waits.
        await bench.pass(SECOND);
        nowMs += SECOND;
        expect(bench.met()).toEqual(expected());
        await bench.pass(seconds * SECOND);
        nowMs += seconds * SECOND;
        expect(bench.met()).toEqual(expected());
        if (!isRedirected && !lasts()) owner = undefined;
      }
      bench.close();
    }),
    { numRuns: 200 },
  );
});
