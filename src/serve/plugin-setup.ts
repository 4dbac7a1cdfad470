/**
 * Directives to live plugins: refuses what is not built, loads what is used, and sets up in the fixed order, word by
 * word over all blocks (dns-server 1.6), so that a plugin may rely on those before it whatever the file's order.
 */
import type { Corefile, Directive, Token } from '../corefile/ast.ts';
import { AppError } from '../fault/app-error.ts';
import type { BlockInfo, Host, PluginInstance, Setup } from '../plugins/contract.ts';
import { BUILT_WORDS, PLUGIN_ORDER } from '../plugins/order.ts';

export interface PluginRecord {
  readonly word: string;
  /** Index of the block in the Corefile. */
  readonly block: number;
  readonly instance: PluginInstance;
}

export type Setups = ReadonlyMap<string, Setup>;

/** The code of every plugin the Corefile uses. Throws SERVE_DIRECTIVE_UNBUILT. */
export async function loadSetups(corefile: Corefile): Promise<Setups> {
  const words = new Map<string, Token>();
  for (const { directives } of corefile.blocks) {
    for (const { name } of directives) words.set(name.text, words.get(name.text) ?? name);
  }
  const loading = [...words].map(async ([word, token]): Promise<[string, Setup]> => {
    const load = PLUGIN_ORDER.find((entry) => entry.word === word)?.load;
    if (load === undefined) throw unbuilt(token);
    return [word, (await load()).setup];
  });
  return new Map(await Promise.all(loading));
}

export interface SetupSource {
  readonly directives: readonly Directive[];
  readonly info: BlockInfo;
}

/** Sets up one word in every block that has it. */
export function setUpWord(
  word: string,
  setup: Setup,
  { blocks, host }: { blocks: readonly SetupSource[]; host: (word: string, block: number) => Host },
): PluginRecord[] {
  return blocks.flatMap(({ directives, info }, block) => {
    const own = directives.filter(({ name }) => name.text === word);
    if (own.length === 0) return [];
    try {
      return [{ word, block, instance: setup({ directives: own, block: info, host: host(word, block) }) }];
    } catch (error) {
      throw nameCulprit(word, error);
    }
  });
}

/** CoreDNS puts the plugin in front of every set-up error. */
export function nameCulprit(word: string, error: unknown): unknown {
  if (!(error instanceof AppError) || error.message.startsWith('plugin/')) return error;
  return new AppError(error.code, `plugin/${word}: ${error.message}`, {
    cause: error.cause,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}

function unbuilt({ text, file, line }: Token): AppError {
  return new AppError(
    'SERVE_DIRECTIVE_UNBUILT',
    `${file}:${line} - Error during parsing: Directive '${text}' is not built into this server`,
    { hint: `CoreDNS knows it. Built here are: ${BUILT_WORDS.join(', ')}` },
  );
}
