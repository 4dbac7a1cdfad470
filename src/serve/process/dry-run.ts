/**
 * A Corefile looked at without serving it: parsed, set up, planned, and let go again. Nothing listens, nothing is watched
 * and no upstream is asked.
 */
import { EMPTY_SNAPSHOT } from '../../cluster/snapshot.ts';
import type { Corefile, Token } from '../../corefile/ast.ts';
import { CLASS, parseType } from '../../dns/codes.ts';
import { parseName } from '../../dns/name.ts';
import { AppError } from '../../fault/app-error.ts';
import { createStore } from '../../store/store.ts';
import { type ExplainedBlock, type ExplainedListener, explainQuestion } from '../explain.ts';
import { Generation } from '../generation.ts';
import { CorefileSource } from './corefile-source.ts';
import { processEnvironment } from './process-environment.ts';

export interface DryRunOptions {
  /** As `-conf`. */
  readonly conf: string;
  readonly defaultPort: number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What would listen, line by line. Throws an `AppError` with the place of what is wrong. */
export async function checkCorefile(options: DryRunOptions): Promise<readonly string[]> {
  const { generation, corefile } = await prepare(options);
  const lines = generation.listeners.flatMap((plan) => [
    plan.server,
    ...plan.members.map(({ block, zones }) => {
      const words = generation.chainWords(block);
      const chain = words.length === 0 ? 'no plugin handles queries: REFUSED' : words.join(' > ');
      return `  ${zones.join(' ')}  ${chain}  (${place(corefile.blocks[block]?.keys[0])})`;
    }),
  ]);
  await generation.shutDown();
  return [...corefile.warnings.map((warning) => `warning: ${warning}`), ...lines];
}

export interface Asked {
  readonly name: string;
  readonly type: string;
}

/** How a question would be handled, line by line. Throws an `AppError`. */
export async function explainCorefile(options: DryRunOptions, asked: Asked): Promise<readonly string[]> {
  const name = parseName(asked.name.endsWith('.') ? asked.name : `${asked.name}.`);
  const type = parseType(asked.type.toUpperCase());
  if (name === undefined) throw wrongQuestion('the name is no domain name', asked.name);
  if (type === undefined) throw wrongQuestion('the type is unknown', asked.type);
  const { generation } = await prepare(options);
  const listeners = explainQuestion(generation, { name, type, class: CLASS.IN });
  await generation.shutDown();
  return listeners.flatMap(formatListener);
}

async function prepare(options: DryRunOptions): Promise<{ generation: Generation; corefile: Corefile }> {
  const corefile = new CorefileSource(options).load();
  const environment = {
    ...processEnvironment({ defaultPort: options.defaultPort }),
    loadCluster: async () => ({
      open: () => ({ snapshot: createStore(EMPTY_SNAPSHOT), close: () => undefined }),
    }),
  };
  return { corefile, generation: await Generation.prepare(corefile, environment) };
}

function formatListener({ server, blocks }: ExplainedListener): readonly string[] {
  if (blocks.length === 0) return [server, '  REFUSED: no zone of this listener matches'];
  return [server, ...blocks.flatMap(formatBlock)];
}

function formatBlock({ zone, at, view, plugins, fast, kernel }: ExplainedBlock): readonly string[] {
  const condition = view === '' ? '' : `, if view ${view} accepts`;
  return [
    `  zone ${zone}  (${place(at)})${condition}`,
    ...(plugins.length === 0 ? ['    REFUSED: no plugin of the block handles queries'] : []),
    ...plugins.map(
      ({ word, at: token, takesPart }) =>
        `    ${word.padEnd(14)}${place(token)}${takesPart ? '' : '  hands it on: not its name or type'}`,
    ),
    `    ${fast === true ? 'cached answers: given by packet threads' : `cached answers: by the chain, because ${fast}`}`,
    `    ${kernel === true ? 'kernel answers: yes, where the agent gives them' : `kernel answers: no, because ${kernel}`}`,
  ];
}

function place(token: Token | undefined): string {
  return token === undefined ? '' : `${token.file}:${token.line}`;
}

function wrongQuestion(reason: string, received: string): AppError {
  return new AppError('SERVE_ARGUMENTS', `Cannot explain the question: ${reason}: received ${received}`);
}
