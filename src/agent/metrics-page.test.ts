import { afterEach, describe, expect, it } from 'vitest';
import { createFakeKernel, openFakeDatapath } from '../datapath/fake-datapath.ts';
import { packet } from '../flow/testing/sample-packet.ts';
import { TestNode } from '../flow/testing/test-node.ts';
import { parseListenAddress } from '../net/listen-address.ts';
import { freePort } from '../net/testing/free-ports.ts';
import { systemClock } from '../telemetry/clock.ts';
import { parseExposition } from '../telemetry/testing/parse-exposition.ts';
import { VirtualClock } from '../telemetry/virtual-clock.ts';
import { agentFamilies } from './agent-metrics.ts';
import { type MetricsPage, startMetricsPage } from './metrics-page.ts';

const log = { error: () => undefined };
let page: MetricsPage | undefined;
afterEach(() => page?.close());

function at(port: number) {
  const address = parseListenAddress(`127.0.0.1:${port}`);
  if (address === undefined) throw new Error(`no port: ${port}`);
  return address;
}

describe('the metrics page', () => {
  it('shows what was seen and done', async () => {
    const node = new TestNode();
    node.see(packet());
    const datapath = openFakeDatapath({ kernel: createFakeKernel(), clock: systemClock });
    const families = () => agentFamilies({ datapath, recorder: node.recorder, packets: node.packets });
    const port = await freePort();
    page = await startMetricsPage({ address: at(port), families, clock: systemClock, log });
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = await response.text();
    for (const family of parseExposition(text).values()) expect(family.help).not.toBe('');
    expect(text).toContain('hubble_dns_queries_total{rcode="",qtypes="A",ips_returned="0"} 1\n');
    expect(text).toContain('# TYPE zerohop_dns_client_latency_seconds histogram\n');
    expect(text).toContain(
      'zerohop_client_dns_queries_total{namespace="default",pod="netshoot",address="172.20.1.5"} 1\n',
    );
    expect(text).toContain('zerohop_fell_back_packets_total{reason="no-socket"} 0\n');
    expect(text).toContain('process_resident_memory_bytes ');
    expect((await fetch(`http://127.0.0.1:${port}/else`)).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'POST' })).status).toBe(404);
  });

  it('is made once for all who ask within a moment, and anew after it', async () => {
    const clock = new VirtualClock();
    let made = 0;
    const families = () => {
      made++;
      return [{ name: 'a_total', help: 'A', kind: 'counter' as const, samples: [] }];
    };
    const port = await freePort();
    page = await startMetricsPage({ address: at(port), families, clock, log });
    const ask = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    await Promise.all(Array.from({ length: 50 }, ask));
    expect(made).toBe(1);
    clock.pass(1000);
    expect(await ask()).toContain('# TYPE a_total counter');
    expect(made).toBe(2);
  });

  it('says when another has the address', async () => {
    const port = await freePort();
    page = await startMetricsPage({ address: at(port), families: () => [], clock: systemClock, log });
    await expect(
      startMetricsPage({ address: at(port), families: () => [], clock: systemClock, log }),
    ).rejects.toMatchObject({
      code: 'AGENT_METRICS_UNUSABLE',
    });
  });
});
