import { expect, it } from 'vitest';
import { setUp } from '../fake-host.ts';
import { setup } from './setup.ts';

it.each([
  [
    'all of them',
    'read 5s\nwrite 1m\nidle 24h\nmaxtcpqueries 7',
    { readMs: 5000, writeMs: 60_000, idleMs: 86_400_000, maxTcpQueries: 7 },
  ],
  ['a bare number as seconds', 'idle 30', { idleMs: 30_000 }],
  ['no limit of queries', 'maxtcpqueries 0', { maxTcpQueries: 0 }],
])('takes %s', (_name, options, timeouts) => {
  expect(setUp(setup, `timeouts {\n${options}\n}`)).toEqual({ timeouts });
});

it.each([
  ['timeouts', 'timeouts block with no timeouts specified'],
  ['timeouts {\n}', 'timeouts block with no timeouts specified'],
  ['timeouts 5s', "Wrong argument count or unexpected line ending after '5s'"],
  ['timeouts {\nread 500ms\n}', "timeout provided '500ms' needs to be between 1 second and 24 hours"],
  ['timeouts {\nidle 25h\n}', "timeout provided '25h0m0s' needs to be between 1 second and 24 hours"],
  ['timeouts {\nread soon\n}', "failed to parse duration 'soon'"],
  ['timeouts {\nread\n}', "Wrong argument count or unexpected line ending after 'read'"],
  ['timeouts {\nsleep 5s\n}', "unknown option: 'sleep'"],
  ['timeouts {\nmaxtcpqueries -1\n}', 'value must be between 0 and 2147483647: received -1'],
])('refuses %j', (lines, text) => {
  expect(() => setUp(setup, lines)).toThrow(text);
});
