import { expect, test } from 'vitest';
import { chooseKernel, compareVersions, filesOf, imageOf, parseStanzas } from './package-index.ts';

const INDEX = `Package: linux-image-cloud-amd64
Source: linux-signed-amd64
Version: 6.12.107-1
Depends: linux-image-6.12.107+deb13-cloud-amd64 (= 6.12.107-1)
Description: Linux for x86-64 cloud (meta-package)
 Depends: not a field, it is text

Package: linux-image-cloud-amd64
Version: 6.1.176-1
Depends: linux-image-6.1.0-50-cloud-amd64 (= 6.1.176-1)

Package: linux-image-cloud-amd64
Version: 6.1.20-1
Depends: linux-image-6.1.0-7-cloud-amd64 (= 6.1.20-1)

Package: linux-image-cloud-amd64
Version: 7.3~rc7-1~exp1
Depends: linux-base-cloud-amd64 (= 7.3~rc7-1~exp1), linux-image-7.3-cloud-amd64 (= 7.3~rc7-1~exp1)

Package: linux-image-7.3-cloud-amd64
Version: 7.3~rc7-1~exp1
Pre-Depends: linux-base (>= 4.12~)
Depends: dracut | linux-initramfs-tool, linux-base-7.3-cloud-amd64 (= 7.3~rc7-1~exp1), linux-binary-7.3-cloud-amd64, linux-modules-7.3-cloud-amd64
`;

test.each([
  { wanted: '6.1', version: '6.1.176-1' },
  { wanted: '6.12', version: '6.12.107-1' },
  { wanted: '6.1.20', version: '6.1.20-1' },
  { wanted: 'newest', version: '7.3~rc7-1~exp1' },
  { wanted: '5.10', version: undefined },
])('chooseKernel takes the newest that $wanted means', ({ wanted, version }) => {
  expect(chooseKernel(parseStanzas(INDEX), wanted)?.version).toBe(version);
});

test('a kernel package leads to the packages that hold its files, split or not', () => {
  const stanzas = parseStanzas(INDEX);
  const newest = chooseKernel(stanzas, 'newest');
  const old = chooseKernel(stanzas, '6.1');
  expect(newest && imageOf(newest)).toBe('linux-image-7.3-cloud-amd64');
  expect(old && imageOf(old)).toBe('linux-image-6.1.0-50-cloud-amd64');
  const split = stanzas.find(({ name }) => name === 'linux-image-7.3-cloud-amd64');
  expect(split && filesOf(split)).toEqual(['linux-binary-7.3-cloud-amd64', 'linux-modules-7.3-cloud-amd64']);
  expect(filesOf({ name: 'linux-image-6.1.0-50-cloud-amd64', version: '', depends: ['kmod'] })).toEqual([
    'linux-image-6.1.0-50-cloud-amd64',
  ]);
});

test('text that is no index has no packages', () => {
  expect(parseStanzas('')).toEqual([]);
  expect(parseStanzas('N: No packages found\n\n\n')).toEqual([]);
});

// Each is older than the next: deb-version(7).
const ORDER = [
  '1.0~rc1-1',
  '1.0~rc1-1+b1',
  '1.0~rc2-1',
  '1.0-1~bpo12+1',
  '1.0-1',
  '1.0-1a',
  '1.0-1+b1',
  '1.0-2',
];
const LATER = [
  '1.0-10',
  '1.0a-1',
  '1.0+deb1-1',
  '1.0.1-1',
  '1.9-1',
  '1.10-1',
  '7.2.13-1',
  '7.3~rc7-1',
  '7.3-1',
  '1:0.1-1',
];

test('compareVersions orders as Debian does', () => {
  const all = [...ORDER, ...LATER];
  for (const [i, a] of all.entries()) {
    for (const [j, b] of all.entries())
      expect([a, b, Math.sign(compareVersions(a, b))]).toEqual([a, b, Math.sign(i - j)]);
  }
});
