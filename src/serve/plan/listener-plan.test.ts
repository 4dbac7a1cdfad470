import { describe, expect, it } from 'vitest';
import { type Ip, parseIp } from '../../net/ip.ts';
import { corefile } from '../fake-environment.ts';
import { planBlocks } from './block-plan.ts';
import { type ListenerPlan, planListeners } from './listener-plan.ts';

/** `listenOn` by block. */
function plan(text: string, listenOn: readonly (readonly string[])[] = []): readonly ListenerPlan[] {
  const plans = planBlocks(corefile(text), 53);
  return planListeners(
    plans.map((block, i) => ({
      plan: block,
      listenOn: (listenOn[i] ?? []).flatMap((word): Ip[] => [parseIp(word) ?? ('' as Ip)]),
    })),
  );
}

function summary(plans: readonly ListenerPlan[]): unknown {
  return plans.map(({ server, members }) => [server, members.map(({ block, zones }) => [block, ...zones])]);
}

describe('planListeners', () => {
  it('gives blocks with one address and port one listener', () => {
    expect(summary(plan('a.org {\n}\nb.org {\n}\n.:54 {\n}'))).toEqual([
      [
        'dns://:53',
        [
          [0, 'a.org.'],
          [1, 'b.org.'],
        ],
      ],
      ['dns://:54', [[2, '.']]],
    ]);
  });

  it('opens every bound address', () => {
    const text = 'cluster.local {\n}\n. {\n}';
    const ips = ['169.254.20.10', 'fd00::1'];
    expect(summary(plan(text, [ips, ips]))).toEqual([
      [
        'dns://169.254.20.10:53',
        [
          [0, 'cluster.local.'],
          [1, '.'],
        ],
      ],
      [
        'dns://[fd00::1]:53',
        [
          [0, 'cluster.local.'],
          [1, '.'],
        ],
      ],
    ]);
  });

  it('expands keys to zones', () => {
    expect(summary(plan('10.0.0.0/15 {\n}'))).toEqual([
      ['dns://:53', [[0, '0.10.in-addr.arpa.', '1.10.in-addr.arpa.']]],
    ]);
  });

  const refused: [name: string, text: string, listenOn: string[][], message: string][] = [
    ['a zone twice', '. {\n}\n. {\n}', [], 'cannot serve dns://.:53 - it is already defined'],
    ['a zone twice in one key list', '. . {\n}', [], 'cannot serve dns://.:53 - it is already defined'],
    [
      'a zone twice on an address',
      '. {\n}\n. {\n}',
      [['127.0.0.1'], ['127.0.0.1']],
      'cannot serve dns://.:53 on 127.0.0.1 - it is already defined',
    ],
    [
      'an address, then the wildcard',
      '. {\n}\n. {\n}',
      [['127.0.0.1'], []],
      'cannot serve dns://.:53 - zone overlap listener capacity with dns://.:53 on 127.0.0.1',
    ],
    [
      'the wildcard, then an address',
      '. {\n}\n. {\n}',
      [[], ['127.0.0.1']],
      'cannot serve dns://.:53 on 127.0.0.1 - zone overlap listener capacity with dns://.:53',
    ],
  ];
  it.each(refused)('refuses %s', (_name, text, listenOn, message) => {
    expect(() => plan(text, listenOn)).toThrow(message);
  });

  it('lets different zones share a port, bound or not', () => {
    expect(plan('a.org {\n}\nb.org {\n}', [['127.0.0.1'], []])).toHaveLength(2);
  });

  it('keeps DoT apart from plain DNS', () => {
    expect(summary(plan('. tls://. {\n}'))).toEqual([
      ['dns://:53', [[0, '.']]],
      ['tls://:853', [[0, '.']]],
    ]);
  });

  it('refuses one port for plain DNS and DoT', () => {
    expect(() => plan('. tls://a.org:53 {\n}')).toThrow('cannot serve dns://:53 - tls://:53 has the port');
  });

  it.each(['quic', 'grpc', 'https', 'https3'])('refuses %s:// by name', (scheme) => {
    expect(() => plan(`${scheme}://. {\n}`)).toThrow(`${scheme} is not built into this server`);
  });

  it('lets blocks with views serve what others serve, in any order', () => {
    const plans = planBlocks(corefile('. {\n}\n. {\n}\n. {\n}'), 53);
    const views = [true, false, true];
    const planned = planListeners(
      plans.map((block, i) => ({ plan: block, listenOn: [], hasView: views[i] === true })),
    );
    expect(planned.map(({ members }) => members.length)).toEqual([3]);
    expect(() => planListeners(plans.map((block) => ({ plan: block, listenOn: [] })))).toThrow(
      'already defined',
    );
  });
});
