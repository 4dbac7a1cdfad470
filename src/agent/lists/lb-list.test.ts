/** The layout of local-redirect-policy 3.5. */
import { expect, it } from 'vitest';
import type { DumpedFrontend } from '../../datapath/dump.ts';
import { parseIp } from '../../net/ip.ts';
import { type Protocol, toPort } from '../../net/port.ts';
import { formatLbList, lbListJson } from './lb-list.ts';

function at(text: string, number: number, protocol: Protocol = 'UDP') {
  const address = parseIp(text);
  const port = toPort(number);
  if (address === undefined || port === undefined) throw new Error('bad fixture');
  return { address, port, protocol };
}

const rows: readonly DumpedFrontend[] = [
  {
    ...at('fd00:96::a', 53, 'TCP'),
    id: 9,
    skipFromBackend: true,
    slots: [{ backendId: 3, backend: at('fd00:20::18', 5353, 'TCP') }],
  },
  {
    ...at('10.96.0.10', 53),
    id: 4,
    skipFromBackend: false,
    slots: [{ backendId: 1, backend: at('172.20.1.24', 53) }, { backendId: 7 }],
  },
];

it('has a row for the frontend and one for each slot, IPv6 in brackets, and says what leads to nothing', () => {
  expect(formatLbList(rows)).toBe(
    [
      'SERVICE ADDRESS           BACKEND ADDRESS (REVNAT_ID) (SLOT)',
      '10.96.0.10:53/UDP (0)     0.0.0.0:0 (4) (0) [LocalRedirect]',
      '10.96.0.10:53/UDP (1)     172.20.1.24:53/UDP (4) (1)',
      '10.96.0.10:53/UDP (2)     backend 7 not found',
      '[fd00:96::a]:53/TCP (0)   [::]:0 (9) (0) [LocalRedirect, SkipFromBackend]',
      '[fd00:96::a]:53/TCP (1)   [fd00:20::18]:5353/TCP (9) (1)',
      '',
    ].join('\n'),
  );
});

it('gives an object of row texts as JSON', () => {
  expect(lbListJson(rows)).toEqual({
    '10.96.0.10:53/UDP (0)': ['0.0.0.0:0 (4) (0) [LocalRedirect]'],
    '10.96.0.10:53/UDP (1)': ['172.20.1.24:53/UDP (4) (1)'],
    '10.96.0.10:53/UDP (2)': ['backend 7 not found'],
    '[fd00:96::a]:53/TCP (0)': ['[::]:0 (9) (0) [LocalRedirect, SkipFromBackend]'],
    '[fd00:96::a]:53/TCP (1)': ['[fd00:20::18]:5353/TCP (9) (1)'],
  });
});

it('is its title alone when nothing is redirected', () => {
  expect(formatLbList([])).toBe('SERVICE ADDRESS   BACKEND ADDRESS (REVNAT_ID) (SLOT)\n');
});
