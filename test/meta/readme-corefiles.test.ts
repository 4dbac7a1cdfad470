/**
 * Every Corefile printed in a plugin's page, a document or the README is started by the real server: parsed, set up,
 * its sockets and pages opened, on ports that the system chooses and with a cluster that has nothing in it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EMPTY_SNAPSHOT } from '../../src/cluster/snapshot.ts';
import { DnsServer } from '../../src/serve/dns-server.ts';
import { corefile, fakeEnvironment } from '../../src/serve/fake-environment.ts';
import { lineAt } from '../../tools/gates/source-file.ts';
import { tree } from './tree.ts';

const FENCE = /^```corefile\n([\s\S]*?)^```$/gm;

const examples = tree
  .filter(({ path }) => path.endsWith('.md'))
  .flatMap(({ path, text }) =>
    Array.from(text.matchAll(FENCE), (match) => ({
      path,
      place: `${path}:${lineAt(text, match.index) + 1}`,
      text: match[1] ?? '',
    })),
  );

const directory = mkdtempSync(join(tmpdir(), 'zerohop-readme-'));
const resolvConf = join(directory, 'resolv.conf');
writeFileSync(resolvConf, 'nameserver 127.0.0.9\n');
afterAll(() => rmSync(directory, { recursive: true }));

/** On ports that the system chooses, and asking nobody outside of this machine. */
function contained(text: string): string {
  return text
    .replace(/(\s|^)(\S*):(1053|8080|8181|9153)\b/g, '$1$2:0')
    .replaceAll('/etc/resolv.conf', resolvConf);
}

async function start(text: string, file: string): Promise<void> {
  const environment = fakeEnvironment();
  environment.cluster.set({
    ...EMPTY_SNAPSHOT,
    synced: new Set(['services', 'endpointSlices', 'namespaces', 'pods']),
  });
  const server = new DnsServer(environment);
  try {
    await server.apply(corefile(contained(text), file));
    expect(server.addresses.length).toBeGreaterThan(0);
    await server.current.shutDown();
  } finally {
    await server.closeListeners();
  }
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
    await expect(start(text, 'Corefile')).rejects.toThrow('Corefile:');
  });

  it('are found, one at least on every page of a plugin', () => {
    const pages = tree.filter(({ path }) => /^src\/plugins\/[^/]+\/README\.md$/.test(path));
    expect(pages.length).toBeGreaterThan(0);
    expect(pages.filter(({ path }) => !examples.some((example) => example.path === path))).toEqual([]);
  });

  it.each(examples)('start: $place', async ({ text, place }) => {
    await start(text, place);
  });
});
