/** Corefiles that servers are given by ConfigMap, parsed as far as they can be. */
import type { Block, Corefile, Directive } from '../../corefile/ast.ts';
import { parseCorefile } from '../../corefile/parser.ts';
import { errorText } from '../../fault/app-error.ts';
import type { ConfigMapFact, ContainerFact } from '../site/cluster-facts.ts';
import { isCorefileKey } from '../site/read-cluster.ts';
import { objectName } from '../site/site.ts';

export interface CorefileFact {
  /** The ConfigMap, by `objectName`. */
  readonly object: string;
  readonly key: string;
  readonly text: string;
  /** Undefined when it does not parse; then `error` says why. */
  readonly corefile?: Corefile;
  readonly error?: string;
}

/** Which words are plugins is not asked here: node-cache, CoreDNS and those built by others know different ones. */
class EveryWord extends Set<string> {
  override has(): boolean {
    return true;
  }
}

/** A file of another container is not there to be read. */
const NO_FILES = {
  readFile: (path: string): string => {
    throw new Error(`${path} is not in the ConfigMap`);
  },
  glob: (): readonly string[] => [],
};

/** A ConfigMap holds at most a mebibyte; a Corefile of that size is nobody's. */
const MOST_TEXT = 256 * 1024;

export function corefilesOf(
  container: ContainerFact,
  namespace: string,
  configMaps: readonly ConfigMapFact[],
): readonly CorefileFact[] {
  const mounted = configMaps.filter(
    (map) => map.namespace === namespace && container.configMaps.includes(map.name),
  );
  // A folder with overlays writes one object several times; the server is given one of them.
  return [...new Map(mounted.toReversed().map((map) => [map.name, map])).values()].flatMap((map) =>
    Object.entries(map.data)
      .filter(([key]) => isCorefileKey(key))
      .map(([key, text]) => readCorefile(objectName('ConfigMap', map), key, text)),
  );
}

export function readCorefile(object: string, key: string, text: string): CorefileFact {
  if (text.length > MOST_TEXT) {
    return { object, key, text: '', error: `it is longer than ${MOST_TEXT} characters` };
  }
  try {
    const corefile = parseCorefile(text, {
      file: key,
      sources: NO_FILES,
      env: {},
      knownPlugins: new EveryWord(),
    });
    return { object, key, text, corefile };
  } catch (error) {
    return { object, key, text, error: errorText(error) };
  }
}

export interface PlacedDirective {
  readonly directive: Directive;
  readonly block: Block;
  /** `ConfigMap kube-system/coredns, Corefile line 12`. */
  readonly place: string;
}

export function directivesOf(facts: readonly CorefileFact[], word: string): readonly PlacedDirective[] {
  return facts.flatMap((fact) =>
    (fact.corefile?.blocks ?? []).flatMap((block) =>
      block.directives
        .filter(({ name }) => name.text === word)
        .map((directive) => ({ directive, block, place: placeOf(fact, directive.name.line) })),
    ),
  );
}

export function placeOf(fact: CorefileFact, line: number): string {
  return `${fact.object}, ${fact.key} line ${line}`;
}

/** The directive as it was written, on one line. */
export function directiveText({ directive }: PlacedDirective): string {
  return [directive.name, ...directive.args].map(({ text }) => text).join(' ');
}

export function blockName({ block }: PlacedDirective): string {
  return block.keys.map(({ text }) => text).join(' ');
}
