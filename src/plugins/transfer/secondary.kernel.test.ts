/**
 * The real program as primary and a real NSD as its secondary: the first transfer, a change that is told by NOTIFY and
 * fetched by IXFR, and what `dig` is given of both.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort } from '../../net/testing/free-ports.ts';

const PROGRAM = new URL('../../cli/boot/zerohop.mjs', import.meta.url).pathname;
const WAIT = { timeout: 40_000, interval: 200 };
const RECORDS = 3000;
const directory = mkdtempSync(join(tmpdir(), 'zerohop-secondary-'));
const at = (file: string) => join(directory, file);
const children: ChildProcess[] = [];
const lines: string[] = [];
let primary = 0;
let secondary = 0;

function writeZone(serial: number): void {
  const head = `$TTL 60\n@ SOA ns hostmaster ${serial} 7200 1800 1209600 30\n@ NS ns\nns A 192.0.2.53\n`;
  const odd = `sub NS ns.sub\nns.sub A 192.0.2.54\n*.wild CNAME ns\n\\000\\255 TXT "${'x'.repeat(200)}"\n`;
  writeFileSync(
    at('new'),
    `${head}${odd}serial TXT ${serial}\n$GENERATE 1-${RECORDS} host-$ TXT "number $"\n`,
  );
  renameSync(at('new'), at('primary.db'));
}

function writeConfiguration(): void {
  writeFileSync(
    at('Corefile'),
    `example.test {
      bind 127.0.0.1
      errors
      file ${at('primary.db')} {
        reload 300ms
      }
      transfer {
        to 127.0.0.1:${secondary}
      }
    }\n`,
  );
  writeFileSync(
    at('nsd.conf'),
    `server:
  ip-address: 127.0.0.1@${secondary}
  zonesdir: "${directory}"
  database: ""
  username: ""
  chroot: ""
  pidfile: ""
  logfile: "${at('nsd.log')}"
  xfrdfile: ""
  zonelistfile: "${at('zone.list')}"
  xfrdir: "${directory}"
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: example.test
  request-xfr: 127.0.0.1@${primary} NOKEY
  allow-notify: 127.0.0.1 NOKEY
  provide-xfr: 127.0.0.1 NOKEY
`,
  );
}

beforeAll(async () => {
  [primary, secondary] = [await freePort(), await freePort()];
  writeZone(1);
  writeConfiguration();
  const args = ['dns', '-conf', at('Corefile'), '-dns.port', String(primary)];
  const program = spawn(process.execPath, [PROGRAM, ...args], { cwd: directory });
  children.push(program);
  program.stdout.setEncoding('utf8').on('data', (text: string) => lines.push(...text.split('\n')));
  await vi.waitFor(() => expect(lines.join('\n')).toContain('CoreDNS-'), WAIT);
  children.push(spawn('nsd', ['-d', '-c', at('nsd.conf')], { stdio: 'ignore' }));
});

afterAll(async () => {
  for (const child of children.filter(({ exitCode }) => exitCode === null)) {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
  }
  rmSync(directory, { recursive: true });
});

/** What is printed of the answer, sorted. */
async function dig(port: number, ...words: string[]): Promise<readonly string[]> {
  const flags = ['+noall', '+answer', '+tries=1', '+time=10'];
  const place = ['@127.0.0.1', '-p', String(port)];
  const { stdout } = await promisify(execFile)('dig', [...place, ...flags, ...words]);
  return stdout
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(';'))
    .map((line) => line.replace(/\s+/g, ' '))
    .sort();
}

async function serialAt(port: number): Promise<string | undefined> {
  const [soa] = await dig(port, 'example.test', 'SOA').catch(() => []);
  return soa?.split(' ')[6];
}

describe('a secondary', () => {
  it('fetches the zone whole', async () => {
    await vi.waitFor(async () => expect(await serialAt(secondary)).toBe('1'), WAIT);
    const ours = await dig(primary, 'example.test', 'AXFR');
    expect(ours).toHaveLength(RECORDS + 9);
    await vi.waitFor(async () => expect(await dig(secondary, 'example.test', 'AXFR')).toEqual(ours), WAIT);
  });

  it('hears of a change and fetches it', async () => {
    writeZone(2);
    await vi.waitFor(async () => expect(await serialAt(secondary)).toBe('2'), WAIT);
    // While NSD changes over, the process that has the zone of before answers, too.
    const texts = () => dig(secondary, 'serial.example.test', 'TXT');
    await vi.waitFor(async () => expect(await texts()).toEqual(['serial.example.test. 60 IN TXT "2"']), WAIT);
    const ours = await dig(primary, 'example.test', 'AXFR');
    await vi.waitFor(async () => expect(await dig(secondary, 'example.test', 'AXFR')).toEqual(ours), WAIT);
    expect(lines.join('\n')).toMatch(
      /\[INFO\] plugin\/file: Successfully reloaded zone "example\.test\." in ".*" with 2 SOA serial/,
    );
    expect(lines.join('\n')).not.toContain('Failed sending notifies');
  });

  it('is told that it is up to date', async () => {
    expect(await dig(primary, 'example.test', 'IXFR=2')).toHaveLength(1);
  });
});
