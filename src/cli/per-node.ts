/** Lists that every agent has its own of: one after the other with a heading, or one JSON or YAML object per node. */
import { stringify } from 'yaml';
import type { AgentClient } from '../agent/client.ts';
import type { DiscoveredAgent } from '../agent/discover.ts';
import { AppError } from '../fault/app-error.ts';
import { escapeSteering } from '../flow/print/escape.ts';
import { endOnClosedPipe, print } from './program.ts';

export interface ListFlags {
  /** `text`, `json` or `yaml`. */
  readonly output: string;
}

export interface PerNode<T> {
  readonly agents: readonly DiscoveredAgent[];
  readonly ask: (client: AgentClient) => Promise<T>;
  /** Ends with a newline. */
  readonly text: (answer: T) => string;
  /** What JSON and YAML show. */
  readonly json: (answer: T) => unknown;
}

/** With one agent text has no heading and JSON is its list alone; with several it is `{"NODE": list}`. */
export async function printPerNode<T>({ output }: ListFlags, list: PerNode<T>): Promise<void> {
  if (output !== 'text' && output !== 'json' && output !== 'yaml') {
    throw new AppError(
      'FLOW_REQUEST_INVALID',
      `Cannot list: -o is text, json or yaml: received ${JSON.stringify(output)}`,
      output.startsWith('jsonpath') ? { hint: 'JSONPath is not there: use -o json and jq' } : {},
    );
  }
  endOnClosedPipe();
  const answers = await Promise.all(
    list.agents.map(async ({ node, client }) => [node, await list.ask(client)] as const),
  );
  if (output === 'text') {
    const heading = (node: string) => (answers.length > 1 ? `==== ${node} ====\n` : '');
    await print(answers.map(([node, answer]) => `${heading(node)}${list.text(answer)}`).join('\n'));
    return;
  }
  const [first] = answers;
  const one = answers.length === 1 && first !== undefined;
  const value = one
    ? list.json(first[1])
    : Object.fromEntries(answers.map(([node, a]) => [node, list.json(a)]));
  await print(output === 'yaml' ? formatYaml(value) : `${escapeSteering(JSON.stringify(value, null, 2))}\n`);
}

/** Plain where it can be; in quotes, which escapes need, where somebody has written what steers a terminal. */
function formatYaml(value: unknown): string {
  const plain = stringify(value);
  if (plain === escapeSteering(plain)) return plain;
  const quoted = { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'QUOTE_DOUBLE' } as const;
  return escapeSteering(stringify(value, quoted));
}
