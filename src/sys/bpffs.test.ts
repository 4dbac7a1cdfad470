import { expect, test } from 'vitest';
import { AppError } from '../fault/app-error.ts';
import { ensureBpffs } from './bpffs.ts';

test('ensureBpffs says what to mount where sysfs lets nobody make a directory', () => {
  try {
    ensureBpffs('/sys/kernel/zerohop-test');
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({
      code: 'SYS_CALL_FAILED',
      hint: expect.stringContaining('mount -t bpf bpf /sys/fs/bpf'),
    });
  }
});
