import { describe, expect, it } from 'vitest';
import type { Token } from '../corefile/ast.ts';
import { type Name, parseName, ROOT } from '../dns/name.ts';
import { matchingZone, zonesFrom } from './zones.ts';

const token = (text: string): Token => ({ text, file: 'Corefile', line: 1, column: 1, quoted: false });

function name(text: string): Name {
  const parsed = parseName(text);
  if (parsed === undefined) throw new Error(`not a name: ${text}`);
  return parsed;
}

describe('zonesFrom', () => {
  it.each([
    ['qualifies and lowers a name', ['Example.ORG'], ['example.org.']],
    ['turns a CIDR into its reverse zone', ['10.0.0.0/24'], ['0.0.10.in-addr.arpa.']],
    [
      'expands a CIDR that is not on a boundary',
      ['10.0.0.0/15'],
      ['0.10.in-addr.arpa.', '1.10.in-addr.arpa.'],
    ],
    ['drops what is no zone', ['a..b', 'example.org'], ['example.org.']],
    ['takes the block without arguments', [], ['.']],
  ])('%s', (_case, texts, zones) => {
    expect(zonesFrom(texts.map(token), [ROOT])).toEqual(zones);
  });
});

describe('matchingZone', () => {
  const zones = [ROOT, name('org.'), name('example.org.')];
  it('takes the longest zone, whatever the case', () => {
    expect(matchingZone(zones, name('www.EXAMPLE.org.'))).toBe('example.org.');
  });
  it('compares whole labels', () => {
    expect(matchingZone(zones, name('notexample.org.'))).toBe('org.');
    expect(matchingZone([name('example.org.')], name('notexample.org.'))).toBeUndefined();
  });
});
