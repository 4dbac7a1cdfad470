/** What programs meet: the resolvers of glibc and of musl ask a server on port 53, in namespaces of their own. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'zerohop-resolvers-'));
afterAll(() => rmSync(directory, { recursive: true }));
const at = (file: string) => join(directory, file);

/** More than 512 bytes can say: glibc is told so, and comes again over TCP. */
const MANY = Array.from({ length: 60 }, (_, i) => `192.0.2.${i + 1}`);

writeFileSync(
  at('Corefile'),
  `.:53 {
  log
  hosts {
    10.0.0.7 kubernetes.default.svc.cluster.local
    fd00::7 kubernetes.default.svc.cluster.local
    ${MANY.map((address) => `${address} many.default.svc.cluster.local`).join('\n    ')}
    10.0.0.8 last.cluster.local
    fallthrough
  }
  template ANY ANY cluster.local {
    match ^last\\.(default\\.)?svc
    rcode NXDOMAIN
    fallthrough
  }
}
`,
);
writeFileSync(
  at('resolv.conf'),
  'nameserver 127.0.0.1\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n',
);
writeFileSync(
  at('lookup.c'),
  `#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
int main(int argc, char **argv) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
  char text[64];
  if (argc < 2 || getaddrinfo(argv[1], 0, &hints, &found) != 0) return 1;
  for (; found; found = found->ai_next) {
    getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, 0, 0, NI_NUMERICHOST);
    puts(text);
  }
  return 0;
}
`,
);
execFileSync('musl-gcc', ['-static', '-O1', '-o', at('lookup'), at('lookup.c')]);

const SCRIPT = `
set -e
ip link set lo up
mount --bind resolv.conf /etc/resolv.conf
# The job empties it too, but perhaps only after the first look at what the server before has left there.
: > log
"$NODE" "$MAIN" dns -conf Corefile > log &
trap 'kill %1' EXIT
until grep -q ^linux/ log; do kill -0 %1; sleep 0.1; done
eval "$COMMAND" | sort -u
kill %1
wait %1 || true
trap - EXIT
`;

/** What `command` finds, and the log of the server it asked. */
async function lookUp(command: string): Promise<{ found: string[]; log: string }> {
  const env = { ...process.env, NODE: process.execPath, MAIN, COMMAND: command };
  const namespaces = ['--net', '--mount', 'bash', '-c', SCRIPT];
  const { stdout } = await promisify(execFile)('unshare', namespaces, {
    env,
    cwd: directory,
    timeout: 50_000,
  });
  return { found: stdout.trim().split('\n'), log: readFileSync(at('log'), 'utf8') };
}

it.each([
  ['glibc', 'getent ahosts kubernetes | cut -d" " -f1', 'getent ahosts last | cut -d" " -f1'],
  ['musl', './lookup kubernetes', './lookup last'],
])('%s finds names by its search list, in both families', { timeout: 60_000 }, async (_libc, first, last) => {
  expect((await lookUp(first)).found).toEqual(['10.0.0.7', 'fd00::7']);
  expect((await lookUp(last)).found).toEqual(['10.0.0.8']);
});

it('glibc comes again over TCP for an answer that was cut', { timeout: 60_000 }, async () => {
  const { found, log } = await lookUp('getent ahosts many | cut -d" " -f1');
  expect(found.toSorted()).toEqual(MANY.toSorted());
  expect(log).toMatch(/A IN many\.default\S+ udp .*\n[\s\S]*A IN many\.default\S+ tcp /);
});
