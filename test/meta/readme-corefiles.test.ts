/**
 * Every Corefile printed in a plugin's page, a document or the README is set up by the real server: parsed, every
 * directive read by its plugin, chains composed. No socket is opened and no cluster is asked.
 */
import { describe, expect, it } from 'vitest';
import { EMPTY_SNAPSHOT } from '../../src/cluster/snapshot.ts';
import { parseCorefile } from '../../src/corefile/parser.ts';
import { fakeHost } from '../../src/plugins/fake-host.ts';
import { KNOWN_WORDS } from '../../src/plugins/order.ts';
import { Generation } from '../../src/serve/generation.ts';
import { createStore } from '../../src/store/store.ts';
import { lineAt } from '../../tools/gates/source-file.ts';
import { tree } from './tree.ts';

const FENCE = /^```corefile\n([\s\S]*?)^```$/gm;

const examples = tree
  .filter(({ path }) => path.endsWith('.md'))
  .flatMap(({ path, text }) =>
    Array.from(text.matchAll(FENCE), (match) => ({
      place: `${path}:${lineAt(text, match.index) + 1}`,
      corefile: match[1] ?? '',
    })),
  );

async function setUp(text: string, file: string): Promise<void> {
  const { log, metrics, clock, random } = fakeHost();
  const corefile = parseCorefile(text, {
    file,
    env: {},
    knownPlugins: KNOWN_WORDS,
    sources: { readFile: () => '', glob: () => [] },
  });
  const generation = await Generation.prepare(corefile, {
    log: () => log,
    metrics,
    clock,
    random,
    directory: '/',
    defaultPort: 1053,
    loadCluster: async () => ({
      open: () => ({ snapshot: createStore(EMPTY_SNAPSHOT), close: () => undefined }),
    }),
  });
  await generation.shutDown();
}

describe('the Corefiles in the documents', () => {
  it.each([
    { name: 'a word that is no plugin', text: '.:1053 {\n  whoareyou\n}\n' },
    {
      name: 'an option that its plugin does not know',
      text: '.:1053 {\n  health {\n    lamehorse 5s\n  }\n}\n',
    },
    { name: 'a brace that stays open', text: '.:1053 {\n  whoami\n' },
  ])('would fail for $name', async ({ text }) => {
    await expect(setUp(text, 'Corefile')).rejects.toThrow();
  });

  it('are found', () => {
    expect(examples.length).toBeGreaterThan(0);
  });

  it.each(examples)('can be set up: $place', async ({ corefile, place }) => {
    await setUp(corefile, place);
  });
});
