/** The real process with the Corefile of the local redirect policy manifests, on ports of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

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

describe('zerohop node-cache', { timeout: 60_000 }, () => {
  it('writes its Corefile from the template and serves it', async () => {
    const [base, conf] = [join(directory, 'Corefile.base'), join(directory, 'Corefile')];
    writeFileSync(base, BASE);
    const args = [MAIN, 'node-cache', '-localip', '169.254.20.10,10.96.0.10', '-conf', conf];
    args.push('-basecorefile', base, '-upstreamsvc', 'kube-dns-upstream', '-skipteardown=true');
    args.push('-setupinterface=false', '-setupiptables=false', '-metrics-listen-address', '127.0.0.1:0');
    const env = { ...process.env, KUBE_DNS_UPSTREAM_SERVICE_HOST: '127.0.0.9' };
    const child = spawn(process.execPath, args, { stdio: 'pipe', env });
    let [stdout, stderr] = ['', ''];
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const ended = new Promise((resolve) => child.once('close', resolve));
    await new Promise<void>((resolve) => {
      child.once('close', resolve);
      child.stdout.on('data', (chunk: Buffer) => {
        stdout += chunk.toString();
        if (stdout.includes('CoreDNS-')) resolve();
      });
    });
    child.kill('SIGTERM');
    expect(await ended).toBe(0);

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

  it("ends with 1 and the original's line for an address that is none", () => {
    const args = [MAIN, 'node-cache', '-localip', '1.2.3', '-setupinterface=false', '-setupiptables=false'];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^\d{4}\/\d\d\/\d\d [\d:]{8} \[FATAL\] Error parsing flags - invalid localip specified - "1\.2\.3", Exiting\n$/,
    );
  });
});
