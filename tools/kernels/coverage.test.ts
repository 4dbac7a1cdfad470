/** What the matrix claims to cover is all there is: objects, libraries, and the table of features in the documentation. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  featureTable,
  hasFeature,
  isAtLeast,
  OLDEST_KERNEL,
  OPTIONAL,
  REQUIRED,
} from '../../test/kernels/features.ts';
import { OBJECTS } from '../../test/kernels/guest/load-objects.ts';
import { librariesOf } from './user-space.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

test('every generated object is loaded in every kernel', () => {
  const generated = globSync('src/**/*.gen.ts', { cwd: ROOT }).flatMap((file) =>
    Array.from(read(file).matchAll(/^export const (\w+_OBJECT)\b/gm), ([, name]) => name),
  );
  expect(generated.length).toBeGreaterThan(0);
  expect(Object.keys(OBJECTS).sort()).toEqual(generated.sort());
});

test.each(Object.entries(OBJECTS))(
  '%s says of every program what kind it is, and names no other',
  (_, { object, kinds }) => {
    const named = Object.keys(kinds ?? {});
    if (named.length > 0) expect(named.sort()).toEqual(Object.keys(object.programs).sort());
  },
);

test('docs/kernels.md has the table of the features that the kernels are asked for', () => {
  const text = read('docs/kernels.md');
  expect(text).toContain(featureTable(REQUIRED));
  expect(text).toContain(featureTable(OPTIONAL));
  expect(text).toContain(`Linux ${OLDEST_KERNEL}`);
});

test('nothing optional is older than the oldest kernel, and nothing required is newer', () => {
  for (const { since } of OPTIONAL) expect(isAtLeast(OLDEST_KERNEL, since)).toBe(false);
  for (const { since } of REQUIRED) expect(isAtLeast(OLDEST_KERNEL, since)).toBe(true);
});

test.each([
  { release: '6.12.117+deb13-cloud-amd64', since: '6.6', expected: true },
  { release: '6.1.0-50-cloud-amd64', since: '6.6', expected: false },
  { release: '5.10.0', since: '5.10', expected: true },
  { release: '7.3-rc7+deb14', since: '6.17', expected: true },
  { release: '6.6-rc1', since: '6.6', expected: true },
])('a kernel $release has what came with $since: $expected', ({ release, since, expected }) => {
  expect(isAtLeast(release, since)).toBe(expected);
});

test.each([
  { release: '6.12.117+deb13-cloud-amd64', expected: true },
  { release: '6.12.110', expected: true },
  { release: '6.12.109', expected: false },
  { release: '6.12-rc7', expected: false },
  { release: '6.13.200', expected: false },
  { release: '6.1.192', expected: false },
  { release: '6.17.0', expected: true },
  { release: '7.3-cloud-amd64', expected: true },
])('a kernel $release has what came with 6.17 and 6.12.110: $expected', ({ release, expected }) => {
  expect(hasFeature(release, { since: '6.17', backports: ['6.12.110'] })).toBe(expected);
});

test('librariesOf reads what ldd prints', () => {
  const output = `\tlinux-vdso.so.1 (0x00007f15ae3fd000)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f15ade1e000)
\tlibgone.so => not found
\t/lib64/ld-linux-x86-64.so.2 (0x00007f15ae3ff000)
`;
  expect(librariesOf(output)).toEqual(['/lib/x86_64-linux-gnu/libc.so.6', '/lib64/ld-linux-x86-64.so.2']);
  expect(librariesOf('\tnot a dynamic executable\n')).toEqual([]);
});
