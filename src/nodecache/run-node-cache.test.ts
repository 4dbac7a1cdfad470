/** The real process with the Corefile of the local redirect policy manifests, on ports of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'zerohop-nodecache-'));
afterAll(() => rmSync(directory, { recursive: true }));

const BASE = `cluster.local:0 {
    errors
    cache {
            success 9984 30
            denial 9984 5
    }
    reload
    bind 127.0.0.1
    forward . __PILLAR__CLUSTER__DNS__ {
            force_tcp
    }
    prometheus 127.0.0.1:0
    }
.:0 {
    errors
    cache 30
    reload
    bind 127.0.0.1
    forward . __PILLAR__UPSTREAM__SERVERS__ {
            force_tcp
    }
    prometheus 127.0.0.1:0
    }
`;

interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  stdout: string;
  stderr: string;
}

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function start(files: { base: string; conf: string }, ...flags: readonly string[]): Started {
  const args = [MAIN, 'node-cache', '-localip', '169.254.20.10,10.96.0.10', '-conf', files.conf];
  args.push('-basecorefile', files.base, '-upstreamsvc', 'kube-dns-upstream', '-skipteardown=true');
  args.push(
    '-setupinterface=false',
    '-setupiptables=false',
    '-metrics-listen-address',
    '127.0.0.1:0',
    ...flags,
  );
  const env = { ...process.env, KUBE_DNS_UPSTREAM_SERVICE_HOST: '127.0.0.9' };
  const child = spawn(process.execPath, args, { stdio: 'pipe', env });
  children.push(child);
  const ended = new Promise((resolve) => child.once('close', resolve));
  const started: Started = { child, ended, stdout: '', stderr: '' };
  child.stderr.on('data', (chunk: Buffer) => (started.stderr += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => (started.stdout += chunk.toString()));
  return started;
}

/** Until one of the streams has the text. */
async function says({ child, ...started }: Started, text: string, of: () => string): Promise<void> {
  while (!of().includes(text)) {
    if (child.exitCode !== null) throw new Error(`It ended: ${started.stderr}${of()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('zerohop node-cache', { timeout: 60_000 }, () => {
  it('writes its Corefile from the template and serves it', async () => {
    const [base, conf] = [join(directory, 'Corefile.base'), join(directory, 'Corefile')];
    writeFileSync(base, BASE);
    const started = start({ base, conf });
    await says(started, 'CoreDNS-', () => started.stdout);
    started.child.kill('SIGTERM');
    expect(await started.ended).toBe(0);

    const { stdout, stderr } = started;
    const stamp = String.raw`\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[INFO\] `;
    expect(stderr).toMatch(
      new RegExp(`^${stamp}Starting node-cache image: .+\n${stamp}Using Corefile ${conf}\n`),
    );
    expect(stderr).toMatch(/Skipping kube-dns configmap sync as no directory was specified/);
    expect(stdout).toMatch(/^cluster\.local\.:0 on 127\.0\.0\.1\n|^\.:0 on 127\.0\.0\.1\n/);
    const written = readFileSync(conf, 'utf8');
    expect(written).toContain('forward . 127.0.0.9 {');
    expect(written).toContain('forward . /etc/resolv.conf {');
  });

  it('takes up a ConfigMap that was not there at first, and stub domains as they change', async () => {
    const home = mkdtempSync(join(directory, 'kube-dns-'));
    const [etc, config, conf] = [join(home, 'etc'), join(home, 'kube-dns'), join(home, 'Corefile')];
    mkdirSync(etc);
    const base = join(etc, 'Corefile.base');
    writeFileSync(base, '.:0 {\n    bind 127.0.0.1\n    forward . __PILLAR__UPSTREAM__SERVERS__\n}\n');
    const started = start({ base, conf }, '-kubednscm', config, '-reloadwithsignal', '-dns.port', '5353');
    await says(started, 'CoreDNS-', () => started.stdout);
    expect(started.stderr).toContain(
      `[ERROR] Failed to sync kube-dns config directory ${config}, err: ENOENT`,
    );

    const log = () => started.stdout;
    mkdirSync(config);
    writeFileSync(join(config, 'stubDomains'), '{"foo.com": ["ns.foo.com"]}');
    await says(
      started,
      '[ERROR] Invalid config: invalid nameservers [ns.foo.com] for the stub domain foo.com: not an IP address or file: "ns.foo.com"\n',
      log,
    );
    expect(readFileSync(conf, 'utf8')).not.toContain('foo.com');

    writeFileSync(join(config, 'upstreamNameservers'), '["192.0.2.1"]');
    writeFileSync(join(config, 'stubDomains'), '{"b.test": ["192.0.2.3:54"], "a.test": ["192.0.2.2"]}');
    await says(started, 'Updated Corefile with 2 custom stubdomains and upstream servers 192.0.2.1\n', log);
    const block = (domain: string, server: string) =>
      `\n${domain}:5353 {\n    errors\n    cache 30\n    bind 169.254.20.10 10.96.0.10\n    forward . ${server}\n}\n`;
    expect(readFileSync(conf, 'utf8')).toBe(
      `.:0 {\n    bind 127.0.0.1\n    forward . 192.0.2.1\n}\n${block('a.test', '192.0.2.2')}${block('b.test', '192.0.2.3:54')}`,
    );
    await says(started, `Sending reload signal to PID ${started.child.pid}\n`, log);
    await says(started, '[INFO] SIGUSR1: Reloading\n', log);
  });

  it("ends with 1 and the original's line for an address that is none", () => {
    const args = [MAIN, 'node-cache', '-localip', '1.2.3', '-setupinterface=false', '-setupiptables=false'];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^\d{4}\/\d\d\/\d\d [\d:]{8} \[FATAL\] Error parsing flags - invalid localip specified - "1\.2\.3", Exiting\n$/,
    );
  });
});
