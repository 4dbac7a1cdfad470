import { expect, test } from 'vitest';
import type { InterfaceJson } from '../agent/wire.ts';
import { hookRows } from './hook-rows.ts';

const NOBODY: InterfaceJson['hook'] = { kind: 'tcx', order: 'alone', others: [] };

function row(over: Partial<InterfaceJson>): InterfaceJson {
  const status = { state: 'done', sinceMs: 0, attempts: 1 } as const;
  return { pod: 'a/b', address: '10.0.0.1', ifindex: 3, ifname: 'v3', status, redirects: true, ...over };
}

function other(name: string, ahead: boolean, direction: 'in' | 'out' = 'in') {
  return { kind: 'tcx', name, id: 7, direction, ahead } as const;
}

test('hookRows counts interfaces that are alike, and names who runs before and after us', () => {
  const between: InterfaceJson['hook'] = {
    kind: 'clsact',
    order: 'before',
    others: [other('cni', true), other('cni', true, 'out'), other('late', false)],
  };
  const interfaces = [
    row({ hook: NOBODY }),
    row({ hook: NOBODY }),
    row({ hook: between, redirects: false }),
    row({ status: { state: 'error', sinceMs: 0, attempts: 1 } }),
  ];
  expect(hookRows({ interfaces })).toEqual([
    ['Hooks', '2 tcx, alone'],
    ['', '1 clsact, after cni, before late, packets seen only'],
  ]);
});

test('hookRows tells how packets are delivered, and why', () => {
  const delivery = { mode: 'stack', reason: 'netfilter holds policies of Calico' } as const;
  expect(hookRows({ interfaces: [], delivery })).toEqual([
    ['Delivery', 'stack: netfilter holds policies of Calico'],
  ]);
});
