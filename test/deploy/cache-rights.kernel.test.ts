/**
 * Each kind of cache with the arguments, the user, the capabilities and the sysctls of its manifest, in a network of its
 * own: it becomes ready as its probe asks, answers on port 53, and what it needs of the node it can do.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { renderChart } from './chart-template.ts';
import { find, firstContainer, kustomize, type Manifest, podSpec } from './manifest.ts';

const PROGRAM = new URL('../../bin/zerohop', import.meta.url).pathname;
const home = mkdtempSync(join(tmpdir(), 'zerohop-cache-rights-'));
// A volume of a ConfigMap can be read by everybody in the pod.
chmodSync(home, 0o755);
const running: ChildProcess[] = [];

/**
 * /run is the container's own. What is asked is asked by root outside of the container's rights, again and again, until
 * the probe says yes; then once for the rest. Ends by SIGTERM, as the kubelet would end it.
 */
const SCRIPT = `
mount -t tmpfs run /run
mkdir /run/zerohop /run/zerohop-node-cache
touch /run/xtables.lock
chown $USER_ID /run/zerohop
ip link set lo up
[ -z "$SYSCTL" ] || echo "\${SYSCTL#*=}" > "/proc/sys/$(echo "\${SYSCTL%%=*}" | tr . /)"
setpriv --no-new-privs --bounding-set=$BOUNDS --inh-caps=$BOUNDS --reuid=$USER_ID --regid=$USER_ID --clear-groups "$@" > "$LOG" 2>&1 &
cache=$!
trap 'kill $cache' TERM
until sh -c "$PROBE" > /dev/null 2>&1; do kill -0 $cache || exit 3; sleep 0.2; done
echo "== ready"
dig +tries=1 +time=15 @$ADDRESS chaos.invalid | grep -o 'status: [A-Z]*'
ip -oneline address show dev nodelocaldns 2>&1 | grep -o 'inet [0-9./]*'
# They come once it serves, which the probe may see before.
rules() { iptables-save 2>/dev/null | grep -c NodeLocal; }
for look in $(seq 150); do [ "$(rules)" = "$RULES" ] && break; sleep 0.2; done
rules
kill $cache
wait $cache
echo "== ended $?"
ip link show nodelocaldns 2>/dev/null
`;

interface Probe {
  readonly httpGet?: { readonly host?: string; readonly path: string; readonly port: number };
  readonly exec?: { readonly command: readonly string[] };
}

/** As the kubelet would ask; a pod's address is any of its own network here. */
function probeCommand(probe: Probe): string {
  if (probe.exec !== undefined) return probe.exec.command.join(' ');
  const { host = '127.0.0.1', path = '', port = 0 } = probe.httpGet ?? {};
  const script = `fetch("http://${host}:${port}${path}").then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`;
  return `${process.execPath} -e '${script}'`;
}

interface Ran {
  /** Of the questions, and of the end. */
  readonly output: string;
  /** Of the cache. */
  readonly log: string;
}

interface Wanted {
  readonly name: string;
  readonly objects: readonly Manifest[];
  /** Asked for a name. */
  readonly address: string;
  /** Waited for, then counted. */
  readonly rules: number;
}

async function runCache({ name, objects, address, rules }: Wanted): Promise<Ran> {
  const daemonSet = find(objects, 'DaemonSet', 'node-local-dns');
  const container = firstContainer(daemonSet);
  const { securityContext } = podSpec(daemonSet);
  const { Corefile = '' } = find(objects, 'ConfigMap', 'node-local-dns').data as Record<string, string>;
  const directory = join(home, name);
  mkdirSync(directory);
  const template = join(directory, 'Corefile.base');
  // The network of the test has nobody upstream: a failure is to come at once.
  writeFileSync(template, Corefile.replaceAll('__PILLAR__UPSTREAM__SERVERS__', '127.0.0.1:5399'));
  const args = (container.args ?? []).map((arg) => arg.replace('$(KUBE_DNS_SERVICE_HOST)', '10.96.0.10'));
  const capabilities = (container.securityContext.capabilities?.add ?? []).map(
    (each) => `+${each.toLowerCase()}`,
  );
  const sysctls = (securityContext as { sysctls?: readonly { name: string; value: string }[] }).sysctls ?? [];
  const environment = Object.fromEntries((container.env ?? []).map((each) => [each.name, each.value]));
  const child = spawn(
    'unshare',
    ['-n', '-m', 'sh', '-c', SCRIPT, 'sh', PROGRAM, ...args, '-basecorefile', template],
    {
      env: {
        PATH: process.env.PATH,
        ...environment,
        KUBE_DNS_UPSTREAM_SERVICE_HOST: '10.96.170.42',
        USER_ID: String(securityContext.runAsUser),
        BOUNDS: ['-all', ...capabilities].join(','),
        SYSCTL: sysctls.map((each) => `${each.name}=${each.value}`).join(''),
        PROBE: probeCommand(container.readinessProbe as Probe),
        ADDRESS: address,
        RULES: String(rules),
        LOG: join(directory, 'log'),
      },
      stdio: 'pipe',
    },
  );
  running.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => {
      output += String(text);
    });
  await new Promise((resolve) => child.once('close', resolve));
  return { output, log: readFileSync(join(directory, 'log'), 'utf8') };
}

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGTERM');
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe('a cache with the rights of its manifest', { timeout: 120_000 }, () => {
  it('in the host network makes interface and rules, answers, and takes them down', async () => {
    const objects = kustomize('overlays/cache-only');
    // Twelve rules for each address.
    const { output, log } = await runCache({ name: 'host', objects, address: '169.254.20.10', rules: 24 });
    const made = 'inet 169.254.20.10/32\ninet 10.96.0.10/32\n24\n';
    expect(output, log).toBe(`== ready\nstatus: SERVFAIL\n${made}== ended 0\n`);
    expect(log).not.toMatch(/EPERM|EACCES|ermission denied/);
  });

  it('of the whole answers on port 53 as root with one capability', async () => {
    const objects = kustomize('overlays/cache-and-agent');
    const { output, log } = await runCache({ name: 'root', objects, address: '127.0.0.1', rules: 0 });
    expect(output, log).toBe('== ready\nstatus: SERVFAIL\n0\n== ended 0\n');
    expect(log).not.toMatch(/EPERM|EACCES|ermission denied/);
  });

  it('without heartbeat answers on port 53 as nobody with none', async () => {
    const { objects } = renderChart({ cache: { heartbeat: false } });
    const { output, log } = await runCache({ name: 'nobody', objects, address: '127.0.0.1', rules: 0 });
    expect(output, log).toBe('== ready\nstatus: SERVFAIL\n0\n== ended 0\n');
    expect(log).not.toMatch(/EPERM|EACCES|ermission denied/);
  });
});
