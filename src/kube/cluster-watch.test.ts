import { spawn } from 'node:child_process';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createKubeClient } from './client.ts';
import { type ClusterWatch, startClusterWatch } from './cluster-watch.ts';
import { createManualClock, type ManualClock } from './testing/manual-clock.ts';
import { createHeardLog, type Scene, startScriptedServer, until } from './testing/scripted-server.ts';

// Real sockets on a busy machine: the waits inside are bounded by looks, not by this.
vi.setConfig({ testTimeout: 30_000 });

const PROGRAM = `
import { systemClock } from ${JSON.stringify(new URL('../telemetry/clock.ts', import.meta.url).href)};
import { createKubeClient } from ${JSON.stringify(new URL('./client.ts', import.meta.url).href)};
import { startClusterWatch } from ${JSON.stringify(new URL('./cluster-watch.ts', import.meta.url).href)};
const say = (text) => console.log(text);
const log = { debug: say, info: say, warning: say, error: say };
// The log tells of an outage once; each attempt ends in a pause.
const clock = { ...systemClock, after: (ms, run) => (say('pause'), systemClock.after(ms, run)) };
const client = createKubeClient({ server: 'http://127.0.0.1:1' });
const watch = startClusterWatch({ client, kinds: ['pods'], log, clock, random: () => 0 });
process.stdin.once('data', () => { watch.close(); client.close(); process.stdin.destroy(); });
process.stdin.unref();
await watch.synced().catch((error) => console.log(error.code));
`;

it('startClusterWatch keeps a process waiting for a server that is away, and lets it go when closed', async () => {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', PROGRAM]);
  const exit = { code: undefined as number | null | undefined };
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += String(chunk);
  });
  // Not `exit`: its last line may come after that.
  child.on('close', (code) => {
    exit.code = code;
  });
  await until('three attempts', () => (output.match(/pause/g) ?? []).length >= 3 || exit.code !== undefined);
  expect(exit.code).toBeUndefined();
  child.stdin.write('close\n');
  await until('the end of the process', () => exit.code !== undefined);
  expect(output).toContain('KUBE_WATCH_CLOSED');
  expect(output.match(/Cannot GET/g)).toHaveLength(1);
  expect(exit.code).toBe(0);
});

describe('startClusterWatch, of kinds that were listed and are refused later,', () => {
  const status =
    (code: number): Scene =>
    (_req, res) =>
      res.writeHead(code).end(JSON.stringify({ code }));
  const cut: Scene = (_req, res) => res.destroy();
  const forgotten: Scene = (_req, res) =>
    res.end(
      `${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } })}\n`,
    );
  const listed: Scene = (req, res) => {
    const kind = (req.url ?? '').includes('networkpolicies') ? 'NetworkPolicyList' : 'NamespaceList';
    res.end(JSON.stringify({ kind, metadata: { resourceVersion: '10' }, items: [] }));
  };
  const KINDS = ['networkPolicies', 'namespaces'] as const;

  async function follow(
    later: Scene,
  ): Promise<{ clock: ManualClock; watch: ClusterWatch; heal: () => boolean }> {
    /** Of each kind its first list and its first watch, which ends so that it has to be listed again, go well. */
    const asked = new Set<string>();
    let healed = false;
    const server = await startScriptedServer((req, res, url) => {
      const isWatch = url.searchParams.get('watch') === 'true';
      const what = `${isWatch} ${url.pathname}`;
      const isFirst = !asked.has(what);
      asked.add(what);
      if (isFirst) (isWatch ? forgotten : listed)(req, res, url);
      else if (!healed) later(req, res, url);
      else if (isWatch) res.flushHeaders();
      else listed(req, res, url);
    });
    const client = createKubeClient({ server: server.endpoint });
    const clock = createManualClock();
    const log = createHeardLog();
    const watch = startClusterWatch({ client, kinds: KINDS, log, clock, random: () => 0 });
    onTestFinished(async () => {
      watch.close();
      client.close();
      await server.close();
    });
    return { clock, watch, heal: () => (healed = true) };
  }

  it.each([403, 404])('knows network policies no more, and all else as before (%i)', async (code) => {
    const { watch, clock, heal } = await follow(status(code));
    const { snapshot } = watch;
    const knows = () => KINDS.map((kind) => snapshot.get().synced.has(kind));
    const turn = () => clock.advance(50);
    await until('both lists', () => watch.stats().get('namespaces')?.lists === 1, turn);
    await until('the refusal', () => [...watch.stats().values()].every(({ failing }) => failing), turn);
    await until('the snapshot', () => !snapshot.get().synced.has('networkPolicies'), turn);
    expect(knows()).toEqual([false, true]);
    heal();
    await until('that they are known again', () => snapshot.get().synced.has('networkPolicies'), turn);
    expect(knows()).toEqual([true, true]);
  });

  it.each([
    { name: 'refuses connections', later: cut },
    { name: 'is ill', later: status(503) },
    { name: 'does not know who asks', later: status(401) },
  ])('knows all as before while the server $name', async ({ later }) => {
    const { watch, clock } = await follow(later);
    const turn = () => clock.advance(50);
    await until(
      'the outage',
      () => [...watch.stats().values()].every(({ failing, lists }) => failing && lists > 0),
      turn,
    );
    const seen = watch.snapshot.get();
    for (let i = 0; i < 100; i++) turn();
    expect(KINDS.map((kind) => watch.snapshot.get().synced.has(kind))).toEqual([true, true]);
    expect(watch.snapshot.get()).toBe(seen);
  });
});
