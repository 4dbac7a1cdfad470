/**
 * A node with three pods: a client, Unbound, and our own server, which the address of the cluster's DNS leads to. All are
 * asked from the client's pod by way of its interface, for the same names, and give the same answers.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DatapathSpec } from '../../src/datapath/datapath.ts';
import { TestNetwork, type TestPod } from '../../src/datapath/testing/test-network.ts';
import { findInterface } from '../../src/sys/interface.ts';
import { ZEROHOP } from '../contenders.ts';
import { DOMAIN, existingNames, questions } from '../names.ts';
import type { Command } from '../processors.ts';
import type { Bench } from '../suite.ts';
import { redirectSpec } from '../suites/redirect.ts';
import { type AnsweringNode, startAnsweringNode } from './answering-node.ts';
import { fly } from './flight.ts';
import { hangFloor } from './floor.ts';

/** Of a shelf; also what the bar for its memory is for. */
export const ENTRIES = 10_000;
/** What a name that exists has in `c/authority.c`: one address. */
const ANSWER = '192.0.2.1';
const TTL = 3600;
/** Names with another last digit have several addresses, an alias or nothing. */
const ONE_ADDRESS = /^[^.]*[013568]\./;
const START_LIMIT_MS = 20_000;
const TRY_MS = 50;
const TRY_SECONDS = 0.2;
/** In the server's own namespace. */
const UPSTREAM_PORT = 5300;

export interface Stage {
  readonly bench: Bench;
  readonly network: TestNetwork;
  readonly client: TestPod;
  readonly unbound: TestPod;
  readonly server: TestPod;
  readonly node: AnsweringNode;
  /** Each name once, type A. */
  readonly queryFile: string;
  /** Of the two servers. */
  readonly pids: { readonly unbound: number; readonly zerohop: number };
  /** Of the client, in the node. */
  readonly ifindex: number;
  /** The echo hangs at the client's interface, which must have no programs of ours then. */
  hangFloor(): () => void;
}

/** Moves this thread into the node's namespace, until the suite is over. */
export async function buildStage(bench: Bench): Promise<Stage> {
  const network = new TestNetwork('answers');
  bench.onClose(() => network.close());
  const client = network.addPod('client', '172.20.0.10');
  const unbound = network.addPod('unbound', '172.20.0.20');
  const server = network.addPod('server', '172.20.0.30');
  const names = existingNames().filter((name) => ONE_ADDRESS.test(name));
  const queryFile = bench.writeFile('answer-questions', questions(names, ['A']));
  const node = startAnsweringNode(bench, network, ENTRIES);
  const start = (pod: TestPod, command: Command) => startIn(network, pod, command);
  const pids = {
    unbound: start(unbound, unboundCommand(bench, unbound, names)),
    zerohop: start(server, zerohopCommand(bench, server, node.heartbeatSocket)),
  };
  start(server, { command: bench.programs.authority, args: [String(UPSTREAM_PORT)] });
  network.enterNode();
  const ifindex = findInterface(client.ifname)?.ifindex ?? 0;
  const parts = { bench, network, client, unbound, server, node, queryFile, pids, ifindex };
  const stage: Stage = { ...parts, hangFloor: () => hangFloor(ifindex) };
  await allServe(stage);
  return stage;
}

/** Which programs hang at the pods: none, ours, or ours with answers for the client. */
export function specOf({ client, server }: Stage, programs: 'none' | 'redirect' | 'answer'): DatapathSpec {
  const spec = redirectSpec({ client, server, watched: programs !== 'none', redirected: true });
  if (programs !== 'answer') return spec;
  return { ...spec, pods: spec.pods.map((pod) => ({ ...pod, answers: true })) };
}

/** Whoever is on which processor the kernel decides, as it does on a node. */
function startIn(network: TestNetwork, pod: TestPod, { command, args }: Command): number {
  return network.spawn(pod.netns, command, ...args).pid ?? 0;
}

/** One thread, which answers from what it was told and asks nobody. */
function unboundCommand(bench: Bench, pod: TestPod, names: readonly string[]): Command {
  const data = names.map((name) => `  local-data: "${name}. ${TTL} IN A ${ANSWER}"`).join('\n');
  const config = `server:
  interface: ${pod.address}
  port: 53
  access-control: 0.0.0.0/0 allow
  num-threads: 1
  module-config: "iterator"
  so-rcvbuf: 4m
  use-syslog: no
  verbosity: 0
  username: ""
  chroot: ""
  pidfile: ""
  directory: "${bench.directory}"
  logfile: "unbound.log"
  local-zone: "${DOMAIN}." static
${data}
remote-control:
  control-enable: no
`;
  return { command: 'unbound', args: ['-d', '-c', bench.writeFile('answers.unbound.conf', config)] };
}

/** As it is shipped, one packet thread; it has a namespace of its own, so its upstream's port is free there. */
function zerohopCommand(bench: Bench, pod: TestPod, heartbeatSocket: string): Command {
  const corefile = `.:53 {
    bind ${pod.address}
    errors
    cache ${TTL}
    reload
    loop
    prometheus 127.0.0.1:9153
    loadbalance
    forward . 127.0.0.1:${UPSTREAM_PORT}
}
`;
  const conf = bench.writeFile('answers.Corefile', corefile);
  const args = ['dns', '-conf', conf, '-packet-threads', '1', '-heartbeat', heartbeatSocket];
  return { command: ZEROHOP, args };
}

/** Until a cache beats and every name has come from both. */
async function allServe(stage: Stage): Promise<void> {
  const { node, bench, unbound, server } = stage;
  const until = performance.now() + START_LIMIT_MS;
  for (const { name, address } of [unbound, server]) {
    for (let isGood = false; !isGood; ) {
      const { answered, good } = await fly(bench, {
        ...stage,
        address,
        inFlight: 1,
        seconds: TRY_SECONDS,
        pids: [],
      });
      isGood = answered > 0 && good === answered;
      if (!isGood && performance.now() > until) throw new Error(`No answers came from ${name}`);
    }
  }
  while (!(await node.wish()).isBeating) {
    if (performance.now() > until) throw new Error('No cache has come for a shelf');
    await sleep(TRY_MS, undefined, { signal: bench.signal });
  }
}
