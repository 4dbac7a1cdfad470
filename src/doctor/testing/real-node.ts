/**
 * Test support: a node of its own (a network namespace) in which faults are built for real, and what the doctor's readers
 * see of it, as a site. Processes of others on this machine are left out: tests of theirs may run beside ours.
 */
import type { ChildProcess } from 'node:child_process';
import { TestNetwork } from '../../datapath/testing/test-network.ts';
import { systemClock } from '../../telemetry/clock.ts';
import type { Check, Finding } from '../check.ts';
import type { ClusterFacts } from '../site/cluster-facts.ts';
import { isKnown, type Known, known } from '../site/known.ts';
import { type ConntrackSample, sampleConntrack } from '../site/node/conntrack.ts';
import { gatherNode } from '../site/node/gather-node.ts';
import type { NodeFacts } from '../site/node-facts.ts';
import { type Site, unknownAgentFacts, unknownClusterFacts } from '../site/site.ts';

const IDLE = 'console.log("ready");setInterval(() => 0, 1 << 30)';
const NODE = 'worker-1';

export interface SiteOver {
  readonly cluster?: Partial<ClusterFacts>;
  /** In place of what was seen, for what no test can make happen. */
  readonly facts?: Partial<NodeFacts>;
  /** As if it were looked at so much later. */
  readonly laterMs?: number;
}

export class RealNode {
  readonly network: TestNetwork;
  readonly #processes = new Set<number>();
  #before: ConntrackSample | undefined;

  /** This thread is in it until `close`. */
  constructor(label: string) {
    this.network = new TestNetwork(label);
    this.network.enterNode();
    this.#before = sampleConntrack(systemClock.monotonicMs());
  }

  /** A process that looks like a node cache, with these flags, and does nothing. */
  async startNodeCache(...flags: readonly string[]): Promise<ChildProcess> {
    const command = `exec -a node-cache "${process.execPath}" -e '${IDLE}' -- "$@"`;
    const child = this.network.spawn(this.network.node, 'bash', '-c', command, 'bash', ...flags);
    await new Promise<void>((resolve, reject) => {
      child.stdout?.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`The process ended with ${code}`)));
    });
    this.#processes.add(child.pid ?? 0);
    return child;
  }

  /** The check's findings about the node as it is now. */
  async findings(check: Check, over: SiteOver = {}): Promise<readonly Finding[]> {
    const facts = { ...(await this.facts()), ...over.facts };
    for (const need of check.needs.node ?? []) {
      const part: Known<unknown> = facts[need];
      if (!isKnown(part)) throw new Error(`${need}: ${part.unknown}`);
    }
    return check.run(this.#site(facts, over));
  }

  async facts(): Promise<NodeFacts> {
    const facts = await gatherNode({
      clock: systemClock,
      addresses: ['10.96.0.10'],
      hookDirectory: '/sys/fs/bpf/zh-test-none',
      ...(this.#before === undefined ? {} : { before: this.#before }),
    });
    if (!isKnown(facts.processes)) return facts;
    return {
      ...facts,
      processes: known(facts.processes.value.filter(({ pid }) => this.#processes.has(pid))),
    };
  }

  close(): Promise<void> {
    return this.network.close();
  }

  #site(facts: NodeFacts, over: SiteOver): Site {
    return {
      origin: 'live',
      takenAtMs: Date.now() + (over.laterMs ?? 0),
      cluster: { ...unknownClusterFacts('this is one node'), ...over.cluster },
      nodes: [{ name: NODE, facts, agent: unknownAgentFacts('there is none') }],
      troubles: [],
      places: new Map(),
    };
  }
}
