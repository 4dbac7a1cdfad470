/**
 * A host for plugin tests, and the way to set a plugin up from Corefile text: real parser, real metrics, a clock the
 * test turns, a log it can read. Nothing listens and no cluster is watched; a plugin that asks for those says so loudly.
 */
import type { Corefile, Directive } from '../corefile/ast.ts';
import { parseCorefile } from '../corefile/parser.ts';
import type { Name } from '../dns/name.ts';
import { parseName, ROOT } from '../dns/name.ts';
import { formatExposition } from '../telemetry/exposition.ts';
import type { Log } from '../telemetry/log.ts';
import { createRegistry } from '../telemetry/registry.ts';
import { VirtualClock } from '../telemetry/virtual-clock.ts';
import { createAnswerCache } from '../wirecache/answer-cache.ts';
import type { AnswerCache } from '../wirecache/contract.ts';
import type { BlockInfo, Host, Neighbours, PluginInstance, Setup } from './contract.ts';

/** Enough for what a plugin's test stores; made only when it is asked for. */
const ANSWER_BYTES = 16 * 1024 * 1024;

export interface FakeHost extends Host {
  readonly clock: VirtualClock;
  /** `[LEVEL] text`, in order. */
  readonly lines: string[];
  /** The value of one exposition line by its full text, `name{label="value"}`; undefined when it is not there. */
  metric(line: string): Promise<number | undefined>;
  /** All that was said to have changed, in order. */
  readonly changed: Name[];
  readonly keptOptions: Set<number>;
}

export interface FakeHostOptions {
  readonly directory?: string;
  readonly random?: () => number;
  readonly neighbours?: Partial<Neighbours>;
  readonly resolve?: Host['resolve'];
}

export function fakeHost({
  directory = '/',
  random = Math.random,
  neighbours = {},
  resolve,
}: FakeHostOptions = {}): FakeHost {
  const lines: string[] = [];
  const changed: Name[] = [];
  const forgetters: ((names: readonly Name[]) => void)[] = [];
  const keptOptions = new Set<number>();
  let answers: AnswerCache | undefined;
  const log = fakeLog(lines);
  const metrics = createRegistry(formatExposition);
  const absent = (what: string) => () => {
    throw new Error(`the fake host has no ${what}`);
  };
  return {
    log,
    plainLog: log,
    metrics,
    clock: new VirtualClock(),
    random,
    directory,
    get answers() {
      answers ??= createAnswerCache({ budgetBytes: ANSWER_BYTES, random });
      return answers;
    },
    lines,
    cluster: absent('cluster'),
    http: absent('http listener'),
    resolve: resolve ?? absent('server'),
    changed,
    keptOptions,
    recordsChanged(names) {
      changed.push(...names);
      for (const forget of forgetters) forget(names);
    },
    onRecordsChanged: (forget) => void forgetters.push(forget),
    neighbours: () => ({
      chain: [],
      describers: [],
      transfers: [],
      searchPath: () => undefined,
      ...neighbours,
    }),
    keepEdnsOption: (code) => void keptOptions.add(code),
    readiness: () => new Map(),
    async metric(line) {
      const found = (await metrics.text()).split('\n').find((text) => text.startsWith(`${line} `));
      return found === undefined ? undefined : Number(found.slice(line.length + 1));
    },
  };
}

function fakeLog(lines: string[]): Log {
  const at = (level: string) => (text: string) => void lines.push(`[${level}] ${text}`);
  return {
    debug: at('DEBUG'),
    info: at('INFO'),
    warning: at('WARNING'),
    error: at('ERROR'),
    fatal(text): never {
      lines.push(`[FATAL] ${text}`);
      throw new Error('the process would have ended');
    },
  };
}

export const fakeBlock: BlockInfo = { zones: [ROOT], server: 'dns://:53' };

/** Sets up what `lines` say inside the block `.:53 { … }`, whose own line is line 1 of `Corefile`. */
export function setUp(
  setup: Setup,
  lines: string,
  { host = fakeHost(), block = fakeBlock }: { host?: Host; block?: BlockInfo } = {},
): PluginInstance {
  return setup({ directives: directivesOf(lines), block, host });
}

/** The directives in a block's body. Unless told what words there are, all must be of one plugin. */
export function directivesOf(lines: string, known?: ReadonlySet<string>): readonly Directive[] {
  const word = /\S+/.exec(lines)?.[0] ?? '';
  const corefile: Corefile = parseCorefile(`.:53 {\n${lines}\n}\n`, {
    file: 'Corefile',
    sources: {
      readFile: () => '',
      glob: () => [],
    },
    env: {},
    knownPlugins: known ?? new Set([word]),
  });
  return corefile.blocks[0]?.directives ?? [];
}

/** For tests: throws when the text is no name. */
export function name(text: string): Name {
  const parsed = parseName(text);
  if (parsed === undefined) throw new Error(`not a name: ${text}`);
  return parsed;
}
