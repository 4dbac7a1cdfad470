/** The process of `servers/answering-node.ts` from the outside: what it is told, and what it says there is. */
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestNetwork } from '../../src/datapath/testing/test-network.ts';
import { NODE } from '../contenders.ts';
import type { NodeReport, Wish } from '../servers/answering-node.ts';
import type { Bench } from '../suite.ts';

const PROGRAM = join(import.meta.dirname, '..', 'servers', 'answering-node.ts');

export interface AnsweringNode {
  readonly pid: number;
  /** Where a cache finds it. */
  readonly heartbeatSocket: string;
  /** Resolves when it is done. Rejects when the process has ended. */
  wish(wish?: Wish): Promise<NodeReport>;
}

/** It ends with the suite. `entries` is the size of a shelf. */
export function startAnsweringNode(bench: Bench, network: TestNetwork, entries: number): AnsweringNode {
  const pinDirectory = join(network.mountBpffs(), 'node');
  const heartbeatSocket = join(bench.directory, 'beat', 'beat.sock');
  const words = [PROGRAM, pinDirectory, heartbeatSocket, String(entries)];
  const child = network.spawn(network.node, NODE, ...words);
  const { stdin, stdout, pid } = child;
  if (stdin === null || stdout === null || pid === undefined) throw new Error('The node has no pipes');
  const lines = createInterface({ input: stdout });
  const gone = once(child, 'exit').then(() => undefined);
  bench.onClose(async () => {
    stdin.end();
    await gone;
  });
  const wish = async (wanted: Wish = {}) => {
    const answer = once(lines, 'line').then(([line]) => String(line));
    stdin.write(`${JSON.stringify(wanted)}\n`);
    const line = await Promise.race([answer, gone]);
    if (line === undefined) throw new Error('The process that has the programs ended');
    return JSON.parse(line) as NodeReport;
  };
  return { pid, heartbeatSocket, wish };
}
