import { afterEach, describe, expect, it } from 'vitest';
import { createKubeClient } from '../kube/client.ts';
import { createManualClock } from '../kube/testing/manual-clock.ts';
import { type Scene, startScriptedServer, until } from '../kube/testing/scripted-server.ts';
import { type Ip, parseIp } from '../net/ip.ts';
import { createRemotePods } from './remote-pods.ts';

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0)) await thing.close();
});

function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

async function remotePods(scene: Scene) {
  const server = await startScriptedServer(scene);
  const client = createKubeClient({ server: server.endpoint });
  const clock = createManualClock();
  const pods = createRemotePods({ client, clock });
  opened.push(pods, client, server);
  return { server, clock, pods };
}

const pod = (name: string, created: string, phase = 'Running') => ({
  metadata: { name, namespace: 'default', creationTimestamp: created },
  spec: { nodeName: 'w2' },
  status: { podIP: '10.0.2.7', phase },
});
const answer =
  (...items: readonly unknown[]): Scene =>
  (_req, res) =>
    res.end(JSON.stringify({ kind: 'PodList', items }));

describe('createRemotePods', () => {
  it('asks once for an address, goes on without, and names the newest pod that runs there', async () => {
    const { server, pods } = await remotePods(
      answer(
        pod('old', '2026-01-01T00:00:00Z'),
        pod('ended', '2026-03-01T00:00:00Z', 'Succeeded'),
        pod('new', '2026-02-01T00:00:00Z'),
      ),
    );
    expect(pods.find(ip('10.0.2.7'))).toBeUndefined();
    expect(pods.find(ip('10.0.2.7'))).toBeUndefined();
    await until('the name', () => pods.find(ip('10.0.2.7'))?.name === 'new');
    expect(server.requests).toEqual([
      'GET /api/v1/pods?fieldSelector=status.podIP%3D10.0.2.7&resourceVersion=0',
    ]);
  });

  it('does not ask again for a while where nothing was to be had, and no faster than once a second', async () => {
    const { server, clock, pods } = await remotePods((_req, res) => res.writeHead(403).end('no'));
    for (let host = 1; host <= 30; host++) pods.find(ip(`10.0.2.${host}`));
    await until('the first ten', () => server.requests.length === 10);
    clock.advance(5_000);
    await until('a few more', () => server.requests.length >= 11);
    expect(server.requests.length).toBeLessThanOrEqual(16);
    const asked = server.requests.length;
    pods.find(ip('10.0.2.1'));
    expect(server.requests.filter((line) => line.includes('10.0.2.1&')).length).toBe(1);
    expect(asked).toBeLessThanOrEqual(16);
  });
});
