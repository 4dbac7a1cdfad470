import { describe, expect, test } from 'vitest';
import { known } from '../../site/known.ts';
import type { ProcessFact } from '../../site/node-facts.ts';
import { nodeCaches } from './node-cache-process.ts';

function cachesOf(...processes: readonly Pick<ProcessFact, 'command' | 'args'>[]) {
  return nodeCaches({ processes: known(processes.map((one, pid) => ({ pid, ...one }))) });
}

describe('nodeCaches', () => {
  test('reads the flags of the stock manifest, with the defaults of what is not written', () => {
    const args = [
      '/node-cache',
      '-localip',
      '169.254.20.10,10.96.0.10',
      '-conf',
      '/etc/Corefile',
      '-upstreamsvc',
      'x',
    ];
    expect(cachesOf({ command: 'node-cache', args })).toMatchObject([
      {
        localIps: ['169.254.20.10', '10.96.0.10'],
        interfaceName: 'nodelocaldns',
        setupInterface: true,
        setupIptables: true,
        hasPidfile: false,
        syncSeconds: 60,
        stock: true,
      },
    ]);
  });

  test.each([
    { flags: ['-syncinterval=5ns'], over: { syncSeconds: 5 } },
    { flags: ['--syncinterval', '30'], over: { syncSeconds: 30 } },
    { flags: ['-syncinterval=nonsense'], over: { syncSeconds: 60 } },
    {
      flags: ['-setupinterface=false', '-setupiptables=false'],
      over: { setupInterface: false, setupIptables: false },
    },
    { flags: ['-localip=__PILLAR__LOCAL__DNS__'], over: { localIps: [] } },
    { flags: ['-pidfile', '/run/x'], over: { hasPidfile: true } },
  ])('reads $flags', ({ flags, over }) => {
    expect(cachesOf({ command: 'node-cache', args: ['/node-cache', ...flags] })).toMatchObject([over]);
  });

  test('tells ours, and leaves out whoever is none', () => {
    const ours = ['/usr/bin/node', '/opt/zerohop/bin/zerohop.ts', 'node-cache', '-localip', '169.254.20.10'];
    expect(cachesOf({ command: 'MainThread', args: ours })).toMatchObject([{ stock: false }]);
    expect(cachesOf({ command: 'coredns', args: ['/coredns', '-conf', '/x'] })).toEqual([]);
  });
});
