/**
 * A node with a real agent's datapath, a real `zerohop dns` behind a redirected frontend, and two clients of it: one that the
 * kernel may answer, and one that it may not, so that only the process does. Nobody else has the frontend's address: what is
 * not redirected, for a heartbeat that a busy machine kept back, gets no answer. Needs root.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { ShelfReader } from '../../src/agent/answers/shelf-reader.ts';
import { NodeHealth } from '../../src/agent/health/node-health.ts';
import type { AnswerShelf, Datapath } from '../../src/datapath/datapath.ts';
import { openDatapath } from '../../src/datapath/open-datapath.ts';
import { redirectedFrontend, toIp } from '../../src/datapath/testing/conformance.ts';
import { silentLog, TestNetwork, type TestPod } from '../../src/datapath/testing/test-network.ts';
import { systemClock } from '../../src/telemetry/clock.ts';
import type { Asked } from '../fuzz/answers/drawn-query.ts';
import { nameBytes, u16 } from '../fuzz/wire/packet-builder.ts';

export const VIP = '10.96.0.10';
const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const CLIENT = join(import.meta.dirname, 'answered-client.ts');
const [A, NS, CNAME, SOA, MX, TXT, AAAA, SRV] = [1, 2, 5, 6, 15, 16, 28, 33];
const SENDER = join(import.meta.dirname, '../../src/datapath/testing/test-frame-sender.ts');
const NAMES = 60;
const FRAMES_AT_ONCE = 400;
const PATIENT_MS = 3000;
const SHELF_MS = 30_000;

export type Reply = Uint8Array | undefined;

export class AnsweredPods {
  readonly network: TestNetwork;
  readonly client: TestPod;
  readonly barred: TestPod;
  readonly cache: TestPod;
  readonly #scratch = mkdtempSync(join(tmpdir(), 'zerohop-answered-'));
  readonly #asking = new Map<TestPod, { readonly child: ChildProcess; readonly lines: Interface }>();
  #health: NodeHealth | undefined;
  #datapath: Datapath | undefined;

  private constructor(label: string) {
    const network = new TestNetwork(label);
    this.network = network;
    this.client = network.addPod('client', '172.20.0.10');
    this.barred = network.addPod('barred', '172.20.0.11');
    this.cache = network.addPod('cache', '172.20.0.20');
  }

  /** Moves this thread into the node's namespace; `close` brings it back. */
  static async open(label: string): Promise<AnsweredPods> {
    const pods = new AnsweredPods(label);
    try {
      await pods.#start();
      return pods;
    } catch (error) {
      await pods.close();
      throw error;
    }
  }

  get datapath(): Datapath {
    if (this.#datapath === undefined) throw new Error('There is no datapath');
    return this.#datapath;
  }

  /** The one that the process has. */
  get shelf(): AnswerShelf {
    const [shelf] = this.datapath.shelves();
    if (shelf === undefined) throw new Error('There is no shelf');
    return shelf;
  }

  /** In the order of the queries; undefined where nothing came in time. */
  async ask(pod: TestPod, queries: readonly Uint8Array[], timeoutMs = 500): Promise<readonly Reply[]> {
    const { child, lines } = this.#clientIn(pod);
    const asked = { timeoutMs, queries: queries.map((query) => Buffer.from(query).toString('hex')) };
    const line = new Promise<string>((resolve, reject) => {
      lines.once('line', resolve);
      child.once('exit', (code) => reject(new Error(`The client of ${pod.name} ended with ${code}`)));
    });
    child.stdin?.write(`${JSON.stringify(asked)}\n`);
    const replies = JSON.parse(await line) as (string | null)[];
    return replies.map((hex) => (hex === null ? undefined : Uint8Array.from(Buffer.from(hex, 'hex'))));
  }

  /** Until the process has answered everything, and all that the kernel may have it has. */
  async warmUp(): Promise<void> {
    for (let [before, same] = [-1, 0]; same < 3; ) {
      await this.ask(this.barred, ASKED.map(plainQuery), PATIENT_MS);
      const entries = this.#entries();
      same = entries > 0 && entries === before ? same + 1 : 0;
      before = entries;
    }
  }

  /** As they are, but that they go to the node's end of the pod's interface; they have arrived when this returns. */
  sendFrames(pod: TestPod, frames: readonly Uint8Array[]): void {
    const [link] = JSON.parse(this.network.inNode('ip', '-j', 'link', 'show', 'dev', pod.ifname)) as [
      { address: string },
    ];
    const station = Buffer.from(link.address.replaceAll(':', ''), 'hex');
    for (let i = 0; i < frames.length; i += FRAMES_AT_ONCE) {
      const hex = frames.slice(i, i + FRAMES_AT_ONCE).map((frame) => {
        return Buffer.concat([station, frame.subarray(station.length)]).toString('hex');
      });
      this.network.run(pod.netns, process.execPath, SENDER, 'eth0', ...hex);
    }
  }

  /** How many answers there are to be found. */
  #entries(): number {
    const reader = new ShelfReader(this.shelf);
    const { small, large } = reader.use();
    reader.close();
    return small + large;
  }

  async close(): Promise<void> {
    this.#health?.close();
    this.#datapath?.remove();
    await this.network.close();
    rmSync(this.#scratch, { recursive: true });
  }

  #clientIn(pod: TestPod) {
    const known = this.#asking.get(pod);
    if (known !== undefined) return known;
    const child = this.network.spawn(pod.netns, process.execPath, CLIENT, VIP);
    if (child.stdout === null) throw new Error('The client says nothing');
    child.setMaxListeners(0);
    const asking = { child, lines: createInterface({ input: child.stdout }) };
    this.#asking.set(pod, asking);
    return asking;
  }

  async #start(): Promise<void> {
    const { network } = this;
    const pinDirectory = join(network.mountBpffs(), 'node');
    network.enterNode();
    const options = { pinDirectory, log: silentLog, clock: systemClock, answerEntries: 10_000 };
    const datapath = openDatapath(options);
    this.#datapath = datapath;
    this.#health = new NodeHealth({
      ...{ datapath, clock: systemClock, log: silentLog, random: Math.random, probe: false },
      heartbeatSocket: join(this.#scratch, 'beat', 'beat.sock'),
    });
    await datapath.apply({
      frontends: (['UDP', 'TCP'] as const).map((protocol) =>
        redirectedFrontend(VIP, protocol, [this.cache.address]),
      ),
      pods: [this.client, this.barred, this.cache].map((pod) => ({
        ...{ pod: `default/${pod.name}`, addresses: [toIp(pod.address)], answers: pod !== this.barred },
      })),
      mayPrune: true,
    });
    await this.#serve();
  }

  async #serve(): Promise<void> {
    const corefile = this.#writeZones();
    const run = `ZEROHOP_RUN_DIR=${join(this.#scratch, 'run')}`;
    const flags = ['-conf', corefile, '-heartbeat', join(this.#scratch, 'beat', 'beat.sock')];
    const child = this.network.spawn(
      ...[this.cache.netns, 'env', run, process.execPath, MAIN, 'dns', ...flags],
    );
    await new Promise<void>((resolve, reject) => {
      child.stdout?.on('data', (chunk: Buffer) => {
        if (chunk.includes('linux/')) resolve();
      });
      child.once('exit', (code) => reject(new Error(`The cache ended with ${code}`)));
    });
    // It looks for the agent, and gets its shelf, only when it serves already.
    for (const deadline = Date.now() + SHELF_MS; this.datapath.shelves().length === 0; await sleep(20))
      if (Date.now() > deadline) throw new Error('The cache got no shelf');
  }

  #writeZones(): string {
    const path = (name: string) => join(this.#scratch, name);
    const lines = Array.from({ length: NAMES }, (_, i) =>
      ['hosts.test', 'turn.test'].map((zone) => hostLines(`n${i}.${zone}`, i)),
    );
    writeFileSync(path('hosts'), lines.flat(2).join('\n'));
    writeFileSync(path('zone'), zoneLines().join('\n'));
    const block = (zone: string, ...plugins: readonly string[]) =>
      `${zone}:53 {\n bind ${this.cache.address}\n cache 3600\n ${plugins.join('\n ')}\n}\n`;
    const hosts = (zone: string) => `hosts ${path('hosts')} ${zone} {\n ttl 3600\n }`;
    const template = (type: string, data: string) =>
      `template IN ${type} made.test {\n answer "{{ .Name }} 3600 IN ${type} ${data}"\n }`;
    const made = [
      template('A', '192.0.2.7'),
      template('MX', '10 mx.{{ .Name }}'),
      template('TXT', `\\"${'x'.repeat(200)}\\"`),
    ];
    const blocks = [
      block('hosts.test', hosts('hosts.test')),
      block('turn.test', 'loadbalance', hosts('turn.test')),
      block('made.test', ...made),
      block('zone.test', `file ${path('zone')}`),
    ];
    writeFileSync(path('Corefile'), blocks.join(''));
    return path('Corefile');
  }
}

/** All that there is to ask for, and some of what there is not. */
export const ASKED: readonly Asked[] = [
  ...Array.from({ length: NAMES }, (_, i) => [
    ...['hosts.test', 'turn.test'].flatMap((zone) => [A, AAAA].map((type) => asked(`n${i}.${zone}`, type))),
    ...[A, MX, TXT].map((type) => asked(`Any${i}.of.made.test`, type)),
    ...[A, MX, TXT, AAAA].map((type) => asked(`n${i}.zone.test`, type)),
    ...[asked(`alias${i}.zone.test`, i % 2 === 0 ? A : CNAME), asked(`_s${i}._udp.zone.test`, SRV)],
    ...[asked(`none${i}.zone.test`, A), asked(`${'long-label-'.repeat(5)}${i}.wild.zone.test`, A)],
  ]).flat(),
  ...[SOA, NS, A].map((type) => asked('zone.test', type)),
];

function asked(name: string, type: number): Asked {
  // Some with the bits under which answers are kept apart.
  const bits = (name.length + type) % 7;
  const key = { type, dnssecOk: bits === 0, checkingDisabled: bits === 1 };
  return { name: Uint8Array.from(nameBytes(name)), key };
}

/** As a client asks that wants no more than the answer. */
export function plainQuery({ name, key }: Asked): Uint8Array {
  const { type, dnssecOk, checkingDisabled } = key;
  const head = [0x12, 0x34, 1, checkingDisabled ? 0x10 : 0, 0, 1, 0, 0, 0, 0, 0, dnssecOk ? 1 : 0];
  const opt = dnssecOk ? [0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0] : [];
  return Uint8Array.from([...head, ...name, ...u16(type), 0, 1, ...opt]);
}

function hostLines(name: string, i: number): readonly string[] {
  const four = Array.from({ length: 1 + (i % 5) }, (_, at) => `10.${i}.${at}.1 ${name}`);
  const six = Array.from({ length: i % 3 }, (_, at) => `fd00:${i}::${at + 1} ${name}`);
  return [...four, ...six];
}

function zoneLines(): readonly string[] {
  const lines = Array.from({ length: NAMES }, (_, i) => [
    `n${i} A 10.1.${i}.1`,
    `n${i} A 10.1.${i}.2`,
    `n${i} MX 5 mx${i}`,
    `n${i} TXT "${'text of some length '.repeat(1 + (i % 20))}"`.slice(0, 250).replace(/"?$/, '"'),
    `alias${i} CNAME n${i}`,
    `_s${i}._udp SRV 0 5 5060 n${i}`,
  ]);
  const soa = '@ SOA ns1 root 1 7200 3600 1209600 3600';
  return [
    '$ORIGIN zone.test.',
    '$TTL 3600',
    soa,
    '@ NS ns1',
    'ns1 A 10.1.255.1',
    '*.wild A 10.1.255.2',
    ...lines.flat(),
    '',
  ];
}
