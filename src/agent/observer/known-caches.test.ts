import { expect, it } from 'vitest';
import { CACHE, peer } from '../../flow/testing/sample-packet.ts';
import { KnownCaches } from './known-caches.ts';

function redirect(...places: readonly ReturnType<typeof peer>[]) {
  return [
    { backends: places.map((place) => ({ ...place, protocol: 'UDP' as const, state: 'active' as const })) },
  ];
}

it('KnownCaches keep a cache whose redirect is gone', () => {
  const caches = new KnownCaches([]);
  expect(caches.now.hasAddress(CACHE.address)).toBe(false);
  caches.add(redirect(CACHE));
  caches.add([]);
  expect(caches.now.has(CACHE.address, 53)).toBe(true);
  expect(caches.now.has(CACHE.address, 5353)).toBe(false);
});

it('KnownCaches forget the oldest of very many, and never one that is in use', () => {
  const caches = new KnownCaches([]);
  for (let i = 0; i < 3000; i++) {
    caches.add(redirect(CACHE, peer(`10.0.${i >> 8}.${i & 255}`, 53)));
  }
  expect(caches.now.hasAddress(CACHE.address)).toBe(true);
  expect(caches.now.hasAddress('10.0.0.0')).toBe(false);
  expect(caches.now.hasAddress('10.0.11.183')).toBe(true);
});
