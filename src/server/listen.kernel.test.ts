/** What needs a machine with several addresses: a network namespace of its own, gone with its last process. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const SERVER = fileURLToPath(new URL('testing/echo-server.ts', import.meta.url));
const SCRIPT = `
set -e
ip link set lo up
ip addr add 10.96.0.10/32 dev lo
ip addr add 10.0.0.5/32 dev lo
ip addr add 2001:db8::5/128 dev lo nodad
ip addr add 2001:db8::10/128 dev lo nodad
coproc "$NODE" "$SERVER"
trap 'kill $COPROC_PID' EXIT
read -r line <&"\${COPROC[0]}"
ask() { dig +short +tries=1 +time=10 "$@" a.test; }
ask @10.96.0.10 -b 10.0.0.5
ask @10.96.0.10 -b 10.0.0.5 +tcp
ask @2001:db8::10 -b 2001:db8::5
ip addr add 10.0.0.6/32 dev lo
ask @10.0.0.6 -b 10.0.0.6
`;

test('an unbound listener replies from the address that was asked, not from the one nearest to the client', async () => {
  const env = { ...process.env, NODE: process.execPath, SERVER };
  const { stdout } = await promisify(execFile)('unshare', ['--net', 'bash', '-c', SCRIPT], { env });
  expect(stdout.split('\n')).toEqual(['10.0.0.0', '10.0.0.0', '10.0.0.0', '10.0.0.0', '']);
});
