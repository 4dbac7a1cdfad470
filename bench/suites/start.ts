/** From the start of the process to its first answer, with a Corefile as clusters have it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../src/net/testing/free-ports.ts';
import { startBusyApi } from '../busy-api.ts';
import { Contender, type ContenderSpec } from '../contender.ts';
import { type Site, unbound, ZEROHOP } from '../contenders.ts';
import { median, shuffled } from '../statistics.ts';
import type { Bench, Suite, SuiteReport } from '../suite.ts';
import { figure, formatTable } from '../table.ts';

const ROUNDS = 10;
const LIMIT_MS = 300;
const HEADINGS = ['server', 'ms to first answer', 'least', 'most', 'CPU ms'];

export const start: Suite = {
  name: 'start',
  title: 'From the start of the process to its first answer',
  needs: ['gcc'],
  run,
};

interface Start {
  readonly startMs: number;
  readonly cpuMs: number;
}

async function run(bench: Bench): Promise<SuiteReport> {
  const site = await bench.site();
  const { url } = await startBusyApi(bench);
  const specs = [
    await coredns(site, url),
    await nodeCache(site),
    ...(bench.installed.has('unbound') ? [await unbound(site)] : []),
  ];
  const runs = new Map(specs.map(({ name }): [string, Start[]] => [name, []]));
  // The first start of a version strips its sources, once for all that follow: an image has done that before.
  for (const spec of specs) await measure(spec, bench);
  for (let round = 0; round < ROUNDS; round++) {
    for (const spec of shuffled(specs)) runs.get(spec.name)?.push(await measure(spec, bench));
  }
  const times = (name: string) => (runs.get(name) ?? []).map(({ startMs }) => startMs);
  const row = (name: string): readonly string[] => [
    name,
    figure(median(times(name))),
    figure(Math.min(...times(name))),
    figure(Math.max(...times(name))),
    figure(median((runs.get(name) ?? []).map(({ cpuMs }) => cpuMs))),
  ];
  const bar = (name: string) => ({
    what: name,
    limit: LIMIT_MS,
    bound: 'most' as const,
    unit: 'ms',
    rounds: times(name),
  });
  return {
    table: formatTable(
      HEADINGS,
      specs.map(({ name }) => row(name)),
    ),
    bars: [bar('zerohop dns'), bar('zerohop node-cache')],
  };
}

async function measure(spec: ContenderSpec, { signal }: Bench): Promise<Start> {
  signal.throwIfAborted();
  const contender = await Contender.start(spec, 'anywhere');
  const cpuMs = contender.cpuNanos() / 1e6;
  await contender.close();
  return { startMs: contender.startMs, cpuMs };
}

/** What `kubeadm` installs. */
async function coredns(site: Site, api: string): Promise<ContenderSpec> {
  const [port = 0, metrics = 0, health = 0, ready = 0] = await freePorts(4);
  const corefile = join(site.directory, 'Corefile.coredns');
  writeFileSync(
    corefile,
    `.:${port} {
    bind 127.0.0.1
    errors
    health 127.0.0.1:${health} {
        lameduck 5s
    }
    ready 127.0.0.1:${ready}
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        endpoint ${api}
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus 127.0.0.1:${metrics}
    forward . 127.0.0.1:${site.upstream} {
        max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
`,
  );
  return { name: 'zerohop dns', command: ZEROHOP, args: ['dns', '-conf', corefile], port };
}

/** The Corefile of its manifest, without an interface and rules: the machine is not to be changed. */
async function nodeCache(site: Site): Promise<ContenderSpec> {
  const [port = 0, metrics = 0, health = 0, setup = 0] = await freePorts(4);
  const base = join(site.directory, 'Corefile.base');
  const block = (zone: string, cache: string, more: string) => `${zone}:${port} {
    errors
    ${cache}
    reload
    loop
    bind 127.0.0.1
    forward . 127.0.0.1:${site.upstream} {
        force_tcp
    }
    prometheus 127.0.0.1:${metrics}
    ${more}
}
`;
  const cluster = `cache {
        success 9984 30
        denial 9984 5
    }`;
  const zones = [
    block('cluster.local', cluster, `health 127.0.0.1:${health}`),
    block('in-addr.arpa', 'cache 30', ''),
    block('ip6.arpa', 'cache 30', ''),
    // The upstream of the benchmark has no TCP.
    block('.', 'cache 30', '').replace(/ \{\s+force_tcp\s+\}/, ''),
  ];
  writeFileSync(base, zones.join(''));
  const flags = [
    '-localip',
    '127.0.0.1',
    '-setupinterface=false',
    '-setupiptables=false',
    '-basecorefile',
    base,
    '-corefile',
    join(site.directory, 'Corefile.written'),
    '-metrics-listen-address',
    `127.0.0.1:${setup}`,
  ];
  return { name: 'zerohop node-cache', command: ZEROHOP, args: ['node-cache', ...flags], port };
}
