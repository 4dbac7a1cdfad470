/** What `zerohop agent` refuses before it touches anything: each flag by its name, with what it may be. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const MAIN = new URL('../../src/cli/boot/zerohop.mjs', import.meta.url).pathname;

const NOTHING_LEFT_OPEN = 'it names nothing; leave the flag out for no limit';

it.each([
  { flags: [], flag: '--node-name', reason: 'it must say which node this is' },
  { flags: ['--node-name', 'w1,spec.nodeName!=w1'], flag: '--node-name', reason: 'no node can have' },
  { flags: ['--policy-namespaces', ''], flag: '--policy-namespaces', reason: NOTHING_LEFT_OPEN },
  { flags: ['--policy-namespaces', ' kube-system'], flag: '--policy-namespaces', reason: 'no namespace' },
  { flags: ['--address-matcher-cidrs', ','], flag: '--address-matcher-cidrs', reason: NOTHING_LEFT_OPEN },
  { flags: ['--address-matcher-cidrs', '10.0.0.0/33'], flag: '--address-matcher-cidrs', reason: 'no' },
  { flags: ['--flow-capacity', '0'], flag: '--flow-capacity', reason: 'it is from 1 to 65535' },
  { flags: ['--flow-ports', '53,http'], flag: '--flow-ports', reason: 'no port from 1 to 65535' },
  { flags: ['--dns-ports', '1,2,3,4,5,6,7,8,9'], flag: '--dns-ports', reason: 'from 1 to 8 ports' },
  { flags: ['--metrics-address', 'nowhere'], flag: '--metrics-address', reason: 'ADDRESS:PORT' },
  { flags: ['--flow-capacity', '65536'], flag: '--flow-capacity', reason: 'it is from 1 to 65535' },
  { flags: ['--context', 'c'], flag: '--context', reason: '--kubeconfig names none' },
  {
    flags: ['--api-server', 'http://a', '--kubeconfig', 'b'],
    flag: '--api-server',
    reason: 'one of the two',
  },
  {
    flags: ['--observe-only', '--socket-redirect', 'some'],
    flag: '--socket-redirect',
    reason: 'host, all, off',
  },
  { flags: ['--move-sockets', '--socket-redirect', 'off'], flag: '--move-sockets', reason: 'no socket' },
  { flags: ['--probe', 'maybe'], flag: '--probe', reason: 'it is on or off' },
  { flags: ['--hook-order', 'middle'], flag: '--hook-order', reason: 'last, first' },
  { flags: ['--delivery', 'post'], flag: '--delivery', reason: 'auto, direct, stack' },
  { flags: ['--kernel-answers', 'on'], flag: '--kernel-answers', reason: 'off, or from 1000 to 1000000' },
  { flags: ['--kernel-answers', '999'], flag: '--kernel-answers', reason: 'off, or from 1000 to 1000000' },
  { flags: ['--kernel-answers', '1000001'], flag: '--kernel-answers', reason: 'from 1000 to 1000000' },
  {
    flags: ['--kernel-answers', '1000', '--heartbeat-socket', 'off'],
    flag: '--kernel-answers',
    reason: '--heartbeat-socket off finds none',
  },
  { flags: ['--redirect-permission', 'none'], flag: '--redirect-permission', reason: 'annotated, all' },
  {
    flags: ['--hubble-listen-address', '4244'],
    flag: '--hubble-listen-address',
    reason: '--hubble-disable-tls',
  },
  {
    flags: ['--hubble-listen-address', 'here', '--hubble-disable-tls'],
    flag: '--hubble-listen-address',
    reason: 'ADDRESS:PORT',
  },
  { flags: ['--hubble-disable-tls'], flag: '--hubble-listen-address', reason: 'there is none' },
  {
    flags: ['--hubble-listen-address', ':4244', '--hubble-tls-cert-file', 'c'],
    flag: '--hubble-tls-key-file',
    reason: 'TLS needs it',
  },
  {
    flags: ['--hubble-tls-cert-file', 'c', '--hubble-tls-key-file', 'k', '--hubble-tls-client-ca-files', ','],
    flag: '--hubble-tls-client-ca-files',
    reason: NOTHING_LEFT_OPEN,
  },
  { flags: ['--log-level', 'loud'], flag: '--log-level', reason: 'debug, info' },
])('refuses $flags', async ({ flags, flag, reason }) => {
  const named = flags.length === 0 || flags.includes('--node-name') ? [] : ['--node-name', 'w1'];
  const env = { ...process.env, NODE_NAME: '', KUBERNETES_SERVICE_HOST: '' };
  const ended = promisify(execFile)(process.execPath, [MAIN, 'agent', ...named, ...flags], { env });
  const { code, stderr } = await ended.then(
    () => ({ code: 0, stderr: '' }),
    (error: { code: number; stderr: string }) => error,
  );
  expect(code).toBe(1);
  expect(stderr).toContain(`Cannot use ${flag}: `);
  expect(stderr).toContain(reason);
});
