import { expect, test } from 'vitest';
import { processorFor } from './machine.ts';

test.each([
  { version: '5.10.262-1', has: false },
  { version: '6.12.117-1', has: false },
  { version: '6.18.1-1', has: true },
  { version: '7.3~rc7-1~exp1', has: true },
])('an emulated processor for Linux $version has cmpxchg16b: $has', ({ version, has }) => {
  const [model = ''] = processorFor({ kvm: false, version }).slice(-1);
  expect(model).toBe(has ? 'max' : 'max,-cx16');
});

test('KVM gives the processor that is there', () => {
  expect(processorFor({ kvm: true, version: '6.12.117-1' }).join(' ')).toContain('-cpu host');
});
