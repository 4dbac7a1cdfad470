/**
 * The doctor's process on a node with exactly the rights of its DaemonSet, beside a pod of another user, rules of the older
 * iptables and a server that is nobody's: it sees all of it, and each right that is taken away is missed where the manifest
 * says. What it may not look at it says; it never takes it for a fault of the pod.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type LookAnswer, parseAnswer } from '../../src/doctor/live/node-protocol.ts';
import { isKnown } from '../../src/doctor/site/known.ts';
import { firstContainer, KUSTOMIZE, type Manifest } from './manifest.ts';

const PROGRAM = new URL('../../bin/zerohop', import.meta.url).pathname;
const POD_ADDRESS = '172.20.1.5';
const SERVICE = '10.96.0.10';
const daemonSet = parse(readFileSync(`${KUSTOMIZE}overlays/doctor/daemon-set.yaml`, 'utf8')) as Manifest;
const granted = (firstContainer(daemonSet).securityContext.capabilities?.add ?? []).map((name) =>
  name.toLowerCase(),
);

const home = mkdtempSync(join(tmpdir(), 'zerohop-doctor-rights-'));
const question = {
  ...{ kind: 'look', node: 'n1', addresses: [SERVICE], run: 'ab12', domain: 'cluster.local' },
  pods: [{ key: 'default/netshoot', addresses: [POD_ADDRESS] }],
  ...{ nameserver: SERVICE, probeTimeoutMs: 300, udp: 1, tcp: 0 },
};

/** Its namespaces end with the processes in them. */
const SCRIPT = `
set -e
ip link set lo up
unshare -n setpriv --reuid=65532 --clear-groups sleep 600 < /dev/null &
pod=$!
setpriv --reuid=65532 --clear-groups "$NODE" -e "require('dgram').createSocket('udp4').bind(9253, () => console.error('bound'))" < /dev/null 2> "$HOME_DIR/bound.$$" &
server=$!
trap 'kill $pod $server' EXIT
until [ "$(readlink /proc/$pod/ns/net)" != "$(readlink /proc/$$/ns/net)" ] && [ -s "$HOME_DIR/bound.$$" ]; do sleep 0.05; done
ip link add veth0 type veth peer name eth0 netns $pod
ip link set veth0 up
nsenter -t $pod -n ip address add ${POD_ADDRESS}/32 dev eth0
iptables-legacy -t raw -A PREROUTING -p udp --dport 53 -d ${SERVICE} -j NOTRACK
echo "$QUESTION" | setpriv --no-new-privs --bounding-set=$BOUNDS --inh-caps=$BOUNDS "$PROGRAM" doctor-node
`;

beforeAll(() => writeFileSync(join(home, 'node.sh'), SCRIPT));
afterAll(() => rmSync(home, { recursive: true, force: true }));

async function look(capabilities: readonly string[]): Promise<LookAnswer> {
  const env = {
    ...process.env,
    ...{ HOME_DIR: home, NODE: process.execPath, PROGRAM, QUESTION: JSON.stringify(question) },
    BOUNDS: ['-all', ...capabilities.map((each) => `+${each}`)].join(','),
  };
  const { stdout } = await promisify(execFile)('unshare', ['-n', '-m', 'sh', join(home, 'node.sh')], {
    env,
    maxBuffer: 1 << 26,
  });
  const answer = stdout.split('\n').flatMap((line) => parseAnswer(line, 'look') ?? [])[0];
  if (answer === undefined) throw new Error(`no answer: ${stdout.slice(0, 500)}`);
  return answer;
}

function unknowns({ facts }: LookAnswer): readonly string[] {
  return Object.entries(facts).flatMap(([name, part]) => (isKnown(part) ? [] : [name]));
}

function probed({ probes }: LookAnswer) {
  if (!isKnown(probes)) throw new Error(probes.unknown);
  const { trails, skipped } = probes.value;
  return { trails: trails.length, skipped: skipped.map(({ reason }) => reason) };
}

function hasOwner({ facts }: LookAnswer): boolean {
  const sockets = isKnown(facts.sockets) ? facts.sockets.value : [];
  const server = sockets.find(({ port }) => port === 9253);
  expect(server).toBeDefined();
  return server?.pid !== undefined;
}

function legacyRules({ facts }: LookAnswer): number {
  return isKnown(facts.rules)
    ? facts.rules.value.filter(({ backend }) => backend === 'iptables-legacy').length
    : 0;
}

const without = (name: string) => granted.filter((each) => each !== name);

describe('a doctor with the capabilities of its manifest', { timeout: 60_000 }, () => {
  it('sees the node, and the pod from inside', async () => {
    const answer = await look(granted);
    expect(unknowns(answer)).toEqual([]);
    expect(probed(answer)).toEqual({ trails: 1, skipped: [] });
    expect(hasOwner(answer)).toBe(true);
    expect(legacyRules(answer)).toBe(1);
  });

  it('enters no pod without sys_admin, and says so instead of finding fault with it', async () => {
    expect(probed(await look(without('sys_admin')))).toEqual({
      trails: 0,
      skipped: [expect.stringMatching(/^Cannot enter network namespace .*EPERM$/)],
    });
  });

  it('finds no pod without sys_ptrace, and says so', async () => {
    expect(probed(await look(without('sys_ptrace')))).toEqual({
      trails: 0,
      skipped: [expect.stringMatching(/^no network namespace/)],
    });
  });

  it('knows no owner of sockets of others without dac_read_search', async () => {
    expect(hasOwner(await look(without('dac_read_search')))).toBe(false);
  });

  it('knows no rules without net_admin, and says so', async () => {
    expect(unknowns(await look(without('net_admin')))).toContain('rules');
  });

  it('cannot know the rules of the older iptables without net_raw, and says so', async () => {
    expect(unknowns(await look(without('net_raw')))).toContain('rules');
  });
});
