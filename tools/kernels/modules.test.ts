import { expect, test } from 'vitest';
import { dependenciesOf, loadOrder, moduleName } from './modules.ts';

test.each([
  {
    name: 'several',
    info: 'license=GPL\0depends=nf_conntrack,nf-defrag-ipv4\0retpoline=Y\0',
    needs: ['nf_conntrack', 'nf_defrag_ipv4'],
  },
  { name: 'none', info: 'license=GPL\0depends=\0', needs: [] },
  { name: 'no word of it', info: 'license=GPL\0', needs: [] },
  { name: 'softdepends do not count', info: 'softdepends=pre: x\0depends=y\0', needs: ['y'] },
])('dependenciesOf a module: $name', ({ info, needs }) => {
  expect(dependenciesOf(Buffer.from(`\x7fELF\0\0${info}`, 'latin1'))).toEqual(needs);
});

test('a module has one name, however its file is called', () => {
  expect(['nf-nat.ko', 'nf_nat.ko.xz', 'nf_nat'].map(moduleName)).toEqual(['nf_nat', 'nf_nat', 'nf_nat']);
});

test('loadOrder puts what is needed first, once, and leaves out what is built in', () => {
  const needs: Record<string, string[]> = {
    nat: ['conntrack', 'crc'],
    conntrack: ['defrag'],
    defrag: [],
    nft: ['nat', 'conntrack'],
  };
  expect(loadOrder(['nft', 'nat', 'unknown'], (name) => needs[name])).toEqual([
    'defrag',
    'conntrack',
    'nat',
    'nft',
  ]);
});

test('loadOrder ends when modules need each other', () => {
  const needs: Record<string, string[]> = { a: ['b'], b: ['a'] };
  expect(loadOrder(['a'], (name) => needs[name])).toEqual(['b', 'a']);
});
