/** What needs a machine with several addresses: a network namespace of its own, gone with its last process. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const STORY = fileURLToPath(new URL('testing/namespace-story.ts', import.meta.url));
/** The routes lead elsewhere than to where the query came in: a reply must follow the routes, not the interface. */
const SCRIPT = `
set -e
ip link set lo up
ip addr add 10.96.0.10/32 dev lo
ip addr add 10.0.0.5/32 dev lo
ip addr add 2001:db8::5/128 dev lo nodad
ip addr add 2001:db8::10/128 dev lo nodad
exec "$NODE" "$STORY" "$THREADS" "10.96.0.10<10.0.0.5" "10.0.0.5<10.96.0.10" "127.0.0.1<127.0.0.1" "2001:db8::10<2001:db8::5"
`;

test.each(['1', '2', '0'])(
  'a wildcard replies from the address that was asked, hit or miss, with %s packet threads',
  async (threads) => {
    const env = { ...process.env, NODE: process.execPath, STORY, THREADS: threads };
    const { stdout } = await promisify(execFile)('unshare', ['--net', 'bash', '-c', SCRIPT], { env });
    expect(stdout.split('\n')).toEqual([
      '10.96.0.10: HOT',
      '10.96.0.10: from 10.96.0.10 to 10.0.0.5',
      '10.0.0.5: HOT',
      '10.0.0.5: from 10.0.0.5 to 10.96.0.10',
      '127.0.0.1: HOT',
      '127.0.0.1: from 127.0.0.1 to 127.0.0.1',
      '2001:db8::10: HOT',
      '2001:db8::10: from 2001:db8::10 to 2001:db8::5',
      '',
    ]);
  },
);

test('a namespace without a loopback has no packet threads, and says so', async () => {
  const program = `
    const { openUdpService } = await import('${new URL('open-udp-service.ts', import.meta.url).href}');
    const log = { warning: (text) => console.log(text) };
    const options = { threads: 1, receiveBufferBytes: 4096, log, answers: undefined, onRestart() {} };
    console.log(openUdpService(options).threads);`;
  const { stdout } = await promisify(execFile)('unshare', [
    '--net',
    process.execPath,
    '--input-type=module',
    '-e',
    program,
  ]);
  expect(stdout).toBe(
    'No packet threads, the main thread reads UDP itself: the loopback took no packet\n0\n',
  );
});
