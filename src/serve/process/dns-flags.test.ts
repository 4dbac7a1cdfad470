import { expect, test } from 'vitest';
import { DNS_FLAGS, kernelAnswers, udpSettings } from './dns-flags.ts';
import { parseGoFlags } from './go-flags.ts';

test('udpSettings: one packet thread and a megabyte of buffer unless told otherwise', () => {
  expect(udpSettings(parseGoFlags([], DNS_FLAGS))).toEqual({ threads: 1, receiveBufferBytes: 1_048_576 });
  expect(udpSettings(parseGoFlags(['-packet-threads', '0', '-udp-buffer=65536'], DNS_FLAGS))).toEqual({
    threads: 0,
    receiveBufferBytes: 65_536,
  });
});

test.each([
  { flag: '-packet-threads=-1', reason: 'invalid value "-1" for flag -packet-threads: not between 0 and 64' },
  { flag: '-packet-threads=65', reason: 'invalid value "65" for flag -packet-threads: not between 0 and 64' },
  { flag: '-udp-buffer=1', reason: 'invalid value "1" for flag -udp-buffer: not between 4096 and 268435456' },
])('udpSettings refuses $flag', ({ flag, reason }) => {
  expect(() => udpSettings(parseGoFlags([flag], DNS_FLAGS))).toThrow(
    expect.objectContaining({ code: 'SERVE_FLAGS', message: reason }),
  );
});

test('kernelAnswers: on unless told otherwise, and nothing in between', () => {
  const read = (...args: string[]) => kernelAnswers(parseGoFlags(args, DNS_FLAGS));
  expect([read(), read('-kernel-answers', 'on'), read('--kernel-answers=off')]).toEqual([true, true, false]);
  for (const value of ['', 'yes', 'ON', 'true', '0']) {
    expect(() => read(`-kernel-answers=${value}`)).toThrow(
      expect.objectContaining({
        code: 'SERVE_FLAGS',
        message: `invalid value "${value}" for flag -kernel-answers: not on or off`,
      }),
    );
  }
});
