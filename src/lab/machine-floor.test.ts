import { expect, test } from 'vitest';
import { missingFloor } from './machine-floor.mjs';

const good = { platform: 'linux', uid: 0, kernel: '6.18.44-fc' };

test('missingFloor has nothing to say of root on a new enough Linux', () => {
  for (const kernel of ['6.6.0', '6.18.44-fc', '7.0-rc1', '10.1.2']) {
    expect(missingFloor({ ...good, kernel }), kernel).toBeUndefined();
  }
});

test.each([
  ['another system', { platform: 'darwin' }, /needs Linux: this is darwin/],
  ['an ordinary user', { uid: 1000 }, /needs root/],
  ['a kernel before TCX', { kernel: '6.5.13-amd64' }, /Linux 6\.6 .*this is 6\.5\.13-amd64/],
  ['an old kernel', { kernel: '5.10.0-30-amd64' }, /Linux 6\.6/],
])('missingFloor names what is missing on %s', (_, change, sentence) => {
  expect(missingFloor({ ...good, ...change })).toMatch(sentence);
});
